package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"hash"
)

var (
	errPassword = errors.New("the key is encrypted and the password is missing or wrong")
	errCipher   = errors.New("the key is encrypted in a way that is not supported: convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc")
)

// decrypted gives a PEM file whose key is not encrypted.
func decrypted(text []byte, password string) ([]byte, error) {
	for rest := text; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil:
			return text, nil
		case block.Headers["DEK-Info"] != "":
			return nil, errCipher
		case block.Type == "ENCRYPTED PRIVATE KEY":
			der, err := decryptPKCS8(block.Bytes, password)
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
		}
	}
}

// The structures of RFC 5958 and RFC 8018.
type (
	encryptedKey struct {
		Algorithm struct {
			ID     asn1.ObjectIdentifier
			Params scheme
		}
		Data []byte
	}
	scheme struct { // PBES2
		Derive struct {
			ID     asn1.ObjectIdentifier
			Params derivation
		}
		Cipher struct {
			ID asn1.ObjectIdentifier
			IV []byte
		}
	}
	derivation struct { // PBKDF2
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		Hash       pkix.AlgorithmIdentifier `asn1:"optional"`
	}
)

// maxIterations bounds the work that a key file may ask for.
const maxIterations = 10_000_000

// decryptPKCS8 knows what openssl writes: PBES2 with PBKDF2 and AES in CBC mode.
func decryptPKCS8(der []byte, password string) ([]byte, error) {
	var k encryptedKey
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) > 0 {
		return nil, errCipher
	}
	d, c := k.Algorithm.Params.Derive, k.Algorithm.Params.Cipher
	size := map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}[c.ID.String()]
	digest := map[string]func() hash.Hash{"": sha1.New, "1.2.840.113549.2.7": sha1.New, "1.2.840.113549.2.9": sha256.New}[d.Params.Hash.Algorithm.String()]
	switch {
	case k.Algorithm.ID.String() != "1.2.840.113549.1.5.13", d.ID.String() != "1.2.840.113549.1.5.12", size == 0, digest == nil,
		len(c.IV) != aes.BlockSize, d.Params.Iterations > maxIterations:
		return nil, errCipher
	case password == "" || len(k.Data) == 0 || len(k.Data)%aes.BlockSize != 0:
		return nil, errPassword
	}
	key, err := pbkdf2.Key(digest, password, d.Params.Salt, d.Params.Iterations, size)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(k.Data))
	cipher.NewCBCDecrypter(block, c.IV).CryptBlocks(plain, k.Data)
	return unpadded(plain)
}

// unpadded takes off the padding, whose octets all say its length; anything else
// is what a wrong password makes.
func unpadded(b []byte) ([]byte, error) {
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || n > len(b) {
		return nil, errPassword
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, errPassword
		}
	}
	return b[:len(b)-n], nil
}
