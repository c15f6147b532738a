package meta

import "testing"

// TestHashPassword: the sha256 case is from RabbitMQ's documentation of
// password hashing (salt 908DC60A, password test12).
func TestHashPassword(t *testing.T) {
	salt := [4]byte{0x90, 0x8D, 0xC6, 0x0A}
	const documented = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
	cases := []struct{ name, algorithm, want string }{
		{"sha256", SHA256, documented},
		{"the default is sha256", "", documented},
		{"sha512", SHA512, "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc="},
		{"md5", MD5, "kI3GChNpte2FApYFXScl+0dIluk="},
		{"unknown", "rabbit_password_hashing_rot13", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := HashPassword(c.algorithm, salt, "test12")
			if got != c.want {
				t.Fatal(got)
			}
			u := User{PasswordHash: got, Algorithm: c.algorithm}
			if u.Matches("test12") != (got != "") || u.Matches("test1") || u.Matches("") {
				t.Fatal("the wrong password matches, or the right one does not")
			}
		})
	}
}

func TestMatchesNothing(t *testing.T) {
	cases := map[string]User{
		"no hash":             {},
		"no base64":           {PasswordHash: "?"},
		"a salt alone":        {PasswordHash: "kI3GCg=="},
		"an unknown name":     {PasswordHash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", Algorithm: "x"},
		"another algorithm":   {PasswordHash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", Algorithm: SHA512},
		"octets behind":       {PasswordHash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR AA=="},
		"half of a good hash": {PasswordHash: "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgx"},
	}
	for name, u := range cases {
		t.Run(name, func(t *testing.T) {
			if u.Matches("test12") || u.Matches("") {
				t.Fatal("matches")
			}
		})
	}
}
