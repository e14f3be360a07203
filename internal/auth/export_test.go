package auth

const (
	MinRefresh   = minRefresh
	FetchTimeout = fetchTimeout
	MaxTried     = maxTried
	MaxShared    = maxShared
)
