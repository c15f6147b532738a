package exchange

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestKeysRandom: a trie is a map, also when hashes are equal or nearly so.
func TestKeysRandom(t *testing.T) {
	hashes := map[string]func(uint64) uint64{
		"spread":         func(n uint64) uint64 { return n * 0x9e3779b97f4a7c15 },
		"all equal":      func(uint64) uint64 { return 42 },
		"last bits only": func(n uint64) uint64 { return n << 60 },
		"two values":     func(n uint64) uint64 { return n % 2 << 63 },
	}
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(7, 7))
			var trie *keys[int]
			model := map[string]int{}
			for step := range 5000 {
				n := rnd.Uint64N(60)
				key := fmt.Sprint("key", n)
				before := trie
				if rnd.IntN(2) == 0 {
					trie, model[key] = trie.with(hash(n), key, step), step
				} else {
					_, there := model[key]
					if trie = trie.without(hash(n), key); there == (trie == before) {
						t.Fatalf("step %d: removing %q: there %v, changed %v", step, key, there, trie != before)
					}
					delete(model, key)
				}
				checkKeys(t, trie, model, hash)
			}
		})
	}
}

func checkKeys(t *testing.T, trie *keys[int], model map[string]int, hash func(uint64) uint64) {
	t.Helper()
	for n := range uint64(60) {
		key := fmt.Sprint("key", n)
		got, ok := trie.get(hash(n), []byte(key))
		if want, there := model[key]; ok != there || got != want {
			t.Fatalf("%q: %d, %v; want %d, %v", key, got, ok, want, there)
		}
	}
	if len(model) == 0 && trie != nil {
		t.Fatal("an empty trie is not nil")
	}
}
