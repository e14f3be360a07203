package tuning

// The files that are ours, by the names that people see.
const (
	sysctlFile = "/etc/sysctl.d/90-pushd.conf"
	dropIn     = "/etc/systemd/system/pushd.service.d/limits.conf"
	limitsFile = "/etc/security/limits.d/90-pushd.conf"
)
