package amqp

import "testing"

func TestCredentials(t *testing.T) {
	cases := []struct {
		name, mechanism, response, user, password string
		fails                                     bool
	}{
		{"plain", "PLAIN", "\x00guest\x00secret", "guest", "secret", false},
		{"plain with an empty password", "PLAIN", "\x00guest\x00", "guest", "", false},
		{"plain with an identity", "PLAIN", "me\x00guest\x00secret", "", "", true},
		{"plain without separators", "PLAIN", "guestguest", "", "", true},
		{"plain with one separator", "PLAIN", "\x00guest", "", "", true},
		{"plain with three separators", "PLAIN", "\x00guest\x00a\x00b", "", "", true},
		{"plain, empty", "PLAIN", "", "", "", true},
		{"amqplain", "AMQPLAIN", "\x05LOGINS\x00\x00\x00\x05guest\x08PASSWORDS\x00\x00\x00\x02no", "guest", "no", false},
		{"amqplain without password", "AMQPLAIN", "\x05LOGINS\x00\x00\x00\x05guest", "", "", true},
		{"amqplain with a number", "AMQPLAIN", "\x05LOGINI\x00\x00\x00\x05\x08PASSWORDS\x00\x00\x00\x02no", "", "", true},
		{"amqplain cut off", "AMQPLAIN", "\x05LOGINS\x00\x00\x00\x09guest", "", "", true},
		{"amqplain, empty", "AMQPLAIN", "", "", "", true},
		{"unknown mechanism", "ANONYMOUS", "", "", "", true},
		{"no mechanism", "", "\x00guest\x00guest", "", "", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			user, password, err := credentials(c.mechanism, c.response)
			if user != c.user || password != c.password || (err != nil) != c.fails {
				t.Errorf("got %q %q %v, want %q %q, failure %t", user, password, err, c.user, c.password, c.fails)
			}
		})
	}
}
