package server

import (
	"errors"
	"os"
	"testing"
)

// TestEncryptedKeys: the keys in testdata were encrypted by openssl, all with
// one password; test.pem is their certificate.
func TestEncryptedKeys(t *testing.T) {
	for _, c := range []struct {
		file, password string
		want           error
	}{
		{"plain.key", "", nil},
		{"plain.key", "ignored", nil},
		{"aes256.key", "s3cret", nil},
		{"aes128-sha1.key", "s3cret", nil},
		{"aes256.key", "", errPassword},
		{"aes256.key", "wrong", errPassword},
		{"des3.key", "s3cret", errCipher},
		{"scrypt.key", "s3cret", errCipher},
		{"traditional.key", "s3cret", errCipher},
	} {
		o := TLS{CertFile: "testdata/test.pem", KeyFile: "testdata/" + c.file, Password: c.password}
		if _, err := o.config(); !errors.Is(err, c.want) {
			t.Errorf("%s with password %q: %v, want %v", c.file, c.password, err, c.want)
		}
	}
}

// FuzzDecryptPKCS8: no file breaks the reader of keys or makes it work for ever.
func FuzzDecryptPKCS8(f *testing.F) {
	for _, name := range []string{"aes256.key", "aes128-sha1.key", "des3.key", "scrypt.key", "plain.key"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if b, err := decrypted(text, "s3cret"); err == nil && len(text) > 0 && b == nil {
			t.Error("neither a key nor an error")
		}
	})
}
