package meta

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
)

// Names of password hashing algorithms as RabbitMQ's definitions give them.
const (
	SHA256 = "rabbit_password_hashing_sha256"
	SHA512 = "rabbit_password_hashing_sha512"
	MD5    = "rabbit_password_hashing_md5"
)

const saltSize = 4

// HashPassword gives base64(salt || hash(salt || password)) as RabbitMQ stores
// it. An unknown algorithm gives no hash, which no password matches.
func HashPassword(algorithm string, salt [saltSize]byte, password string) string {
	in := append(salt[:], password...)
	var sum []byte
	switch algorithm {
	case SHA256, "":
		s := sha256.Sum256(in)
		sum = s[:]
	case SHA512:
		s := sha512.Sum512(in)
		sum = s[:]
	case MD5:
		s := md5.Sum(in)
		sum = s[:]
	default:
		return ""
	}
	return base64.StdEncoding.EncodeToString(append(in[:saltSize:saltSize], sum...))
}

// Matches says whether password is the user's.
func (u *User) Matches(password string) bool {
	raw, err := base64.StdEncoding.DecodeString(u.PasswordHash)
	if err != nil || len(raw) <= saltSize {
		return false
	}
	got := HashPassword(u.Algorithm, [saltSize]byte(raw[:saltSize]), password)
	return subtle.ConstantTimeCompare([]byte(got), []byte(u.PasswordHash)) == 1
}
