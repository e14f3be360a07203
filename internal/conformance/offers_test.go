package conformance_test

import (
	"strings"
	"testing"
)

// How permessage-deflate is accepted here.
const (
	accepts   = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	accepts15 = accepts + "; server_max_window_bits=15"
	declines  = "Sec-WebSocket-Extensions"
)

// offering is a handshake with these Sec-WebSocket-Extensions.
func offering(fields ...string) string {
	all := ""
	for _, f := range fields {
		all += "Sec-WebSocket-Extensions: " + f + "\r\n"
	}
	return request("/echo", all)
}

// offers are the cases of RFC 7692 5 and 7.1, and of the grammar in RFC 6455 9.1.
var offers = []opening{
	{"7692 5.1", "nothing offered, nothing accepted", request("/echo"), 101, declines},
	{"7692 5.1", "a door that does not compress", request("/ws?topic=a", "Sec-WebSocket-Extensions: permessage-deflate\r\n"), 101, declines},
	{"7692 5.1", "the second, where the first cannot be met", offering("permessage-deflate; server_max_window_bits=10, permessage-deflate"), 101, accepts},
	{"7692 5.1", "the first of two that can", offering("permessage-deflate; server_max_window_bits=15, permessage-deflate"), 101, accepts15},
	{"7692 5.1", "in this order too", offering("permessage-deflate, permessage-deflate; server_max_window_bits=15"), 101, accepts},
	{"7692 5.1", "others beside it", offering("x-webkit-deflate-frame, permessage-bzip2; a=b, permessage-deflate"), 101, accepts},
	{"7692 5.1", "only others", offering("x-webkit-deflate-frame; no_context_takeover"), 101, declines},
	{"7692 5.1", "several fields are one list", offering("permessage-deflate; x", "y", "permessage-deflate"), 101, accepts},

	{"7692 7", "alone", offering("permessage-deflate"), 101, accepts},
	{"7692 7", "what Chromium and Firefox offer", offering("permessage-deflate; client_max_window_bits"), 101, accepts},
	{"7692 7", "all parameters", offering("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=10"), 101, accepts15},
	{"7692 7", "a longer name is another", offering("permessage-deflate2"), 101, declines},
	{"7692 7", "without white space", offering("permessage-deflate;client_max_window_bits,x"), 101, accepts},
	{"7692 7", "with much white space", offering("\tpermessage-deflate \t; client_max_window_bits\t,  x "), 101, accepts},

	{"7692 7.1 undefined", "a parameter that is none", offering("permessage-deflate; mux"), 101, declines},
	{"7692 7.1 undefined", "with a value", offering("permessage-deflate; speed=9"), 101, declines},
	{"7692 7.1 undefined", "beside good ones", offering("permessage-deflate; client_max_window_bits; window"), 101, declines},
	{"7692 7.1 twice", "server_no_context_takeover", offering("permessage-deflate; server_no_context_takeover; server_no_context_takeover"), 101, declines},
	{"7692 7.1 twice", "client_no_context_takeover", offering("permessage-deflate; client_no_context_takeover; client_no_context_takeover"), 101, declines},
	{"7692 7.1 twice", "server_max_window_bits", offering("permessage-deflate; server_max_window_bits=15; server_max_window_bits=15"), 101, declines},
	{"7692 7.1 twice", "client_max_window_bits", offering("permessage-deflate; client_max_window_bits; client_max_window_bits=15"), 101, declines},

	{"7692 7.1.1.1", "server_no_context_takeover", offering("permessage-deflate; server_no_context_takeover"), 101, accepts},
	{"7692 7.1.1.1", "with a value", offering("permessage-deflate; server_no_context_takeover=true"), 101, declines},
	{"7692 7.1.1.2", "client_no_context_takeover", offering("permessage-deflate; client_no_context_takeover"), 101, accepts},
	{"7692 7.1.1.2", "with a value", offering("permessage-deflate; client_no_context_takeover=1"), 101, declines},

	{"7692 7.1.2.1", "15", offering("permessage-deflate; server_max_window_bits=15"), 101, accepts15},
	{"7692 7.1.2.1", "15, quoted", offering(`permessage-deflate; server_max_window_bits="15"`), 101, accepts15},
	{"7692 7.1.2.1", "9, never answered with more", offering("permessage-deflate; server_max_window_bits=9"), 101, declines},
	{"7692 7.1.2.1", "8", offering("permessage-deflate; server_max_window_bits=8"), 101, declines},
	{"7692 7.1.2.1", "14", offering("permessage-deflate; server_max_window_bits=14"), 101, declines},
	{"7692 7.1.2.1", "without a value", offering("permessage-deflate; server_max_window_bits"), 101, declines},
	{"7692 7.1.2.1", "7", offering("permessage-deflate; server_max_window_bits=7"), 101, declines},
	{"7692 7.1.2.1", "16", offering("permessage-deflate; server_max_window_bits=16"), 101, declines},
	{"7692 7.1.2.1", "0", offering("permessage-deflate; server_max_window_bits=0"), 101, declines},
	{"7692 7.1.2.1", "a leading zero", offering("permessage-deflate; server_max_window_bits=015"), 101, declines},
	{"7692 7.1.2.1", "a sign", offering("permessage-deflate; server_max_window_bits=+15"), 101, declines},
	{"7692 7.1.2.1", "no number", offering("permessage-deflate; server_max_window_bits=1x"), 101, declines},
	{"7692 7.1.2.1", "a number that overflows to 15", offering("permessage-deflate; server_max_window_bits=4294967311"), 101, declines},

	{"7692 7.1.2.2", "without a value", offering("permessage-deflate; client_max_window_bits"), 101, accepts},
	{"7692 7.1.2.2", "8", offering("permessage-deflate; client_max_window_bits=8"), 101, accepts},
	{"7692 7.1.2.2", "10", offering("permessage-deflate; client_max_window_bits=10"), 101, accepts},
	{"7692 7.1.2.2", "15", offering("permessage-deflate; client_max_window_bits=15"), 101, accepts},
	{"7692 7.1.2.2", "7", offering("permessage-deflate; client_max_window_bits=7"), 101, declines},
	{"7692 7.1.2.2", "16", offering("permessage-deflate; client_max_window_bits=16"), 101, declines},
	{"7692 7.1.2.2", "a leading zero", offering("permessage-deflate; client_max_window_bits=08"), 101, declines},
	{"7692 7.1.2.2", "no number", offering("permessage-deflate; client_max_window_bits=x"), 101, declines},

	{"7692 7.1.3", "offers as in its examples", offering("permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits"), 101, accepts},

	{"6455 9.1", "no parameter behind a semicolon", offering("permessage-deflate;"), 400, ""},
	{"6455 9.1", "no value behind an equals sign", offering("permessage-deflate; client_max_window_bits="), 400, ""},
	{"6455 9.1", "no name", offering("; client_max_window_bits"), 400, ""},
	{"6455 9.1", "two names", offering("permessage deflate"), 400, ""},
	{"6455 9.1", "no token", offering("permessage/deflate"), 400, ""},
	{"6455 9.1", "a quote that does not end", offering(`permessage-deflate; client_max_window_bits="10`), 400, ""},
	{"6455 9.1", "a quoted value that is no token", offering(`x; a="b c"`), 400, ""},
	{"6455 9.1", "beside a good one", offering("permessage-deflate", "="), 400, ""},
	{"6455 9.1", "empty elements are none", offering(", ,permessage-deflate,"), 101, accepts},
	{"6455 9.1", "a very long value", offering("permessage-deflate; client_max_window_bits=" + strings.Repeat("1", 1000)), 101, declines},
}

func TestOffers(t *testing.T) { runOpenings(t, offers) }
