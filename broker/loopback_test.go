package broker

import (
	"errors"
	"slices"
	"testing"
)

func TestLoopbackUsers(t *testing.T) {
	b := guestSession(t).b
	if !slices.Equal(b.opt.LoopbackUsers, []string{"guest"}) {
		t.Errorf("by default %q may log in from this machine only", b.opt.LoopbackUsers)
	}
	for name, c := range map[string]struct {
		users []string
		want  error
	}{
		"guest":         {[]string{"guest"}, ErrLoopback},
		"nobody":        {[]string{}, nil},
		"somebody else": {[]string{"alice"}, nil},
	} {
		b.opt.LoopbackUsers = c.users
		if _, err := b.Authenticate("guest", "guest", false); !errors.Is(err, c.want) {
			t.Errorf("%s: from another machine %v, want %v", name, err, c.want)
		}
		if _, err := b.Authenticate("guest", "guest", true); err != nil {
			t.Errorf("%s: from this machine %v", name, err)
		}
		if _, err := b.Authenticate("guest", "no", false); !errors.Is(err, ErrCredentials) {
			t.Errorf("%s: with a wrong password %v", name, err)
		}
	}
}
