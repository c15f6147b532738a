package exchange

import (
	"bytes"
	"hash/maphash"
)

// topicWalk is one key on its way through a trie. A place is how many words of
// the key are used up. Above the first '#' there is one place at a time; below
// it, a node is visited once with all the places at which it can be, since one
// visit for each way to get there would be exponentially many.
type topicWalk struct {
	runs   // the destinations found so far
	words  []topicWord
	places []int32    // a stack of place lists
	hits   []topicHit // a stack
}

type topicWord struct {
	hash uint64
	text []byte
}

// topicHit says that the word at place leads to child.
type topicHit struct {
	child *topicNode
	place int32
}

// split cuts the key into its words.
func (w *topicWalk) split(seed maphash.Seed, key []byte) {
	for more := len(key) > 0; more; {
		var word []byte
		word, key, more = bytes.Cut(key, []byte{'.'})
		w.words = append(w.words, topicWord{maphash.Bytes(seed, word), word})
	}
}

// reset keeps the room and forgets the key; the trie is forgotten already, as
// every hit that was followed is.
func (w *topicWalk) reset() {
	w.runs.reset()
	clear(w.words)
	w.words = w.words[:0]
}

func (w *topicWalk) child(n *topicNode, place int32) (*topicNode, bool) {
	word := &w.words[place]
	return n.words.get(word.hash, word.text)
}

// at visits n at one place.
func (w *topicWalk) at(n *topicNode, place int32) {
	if n.hash != nil {
		w.after(n.hash, place)
	}
	if int(place) == len(w.words) {
		w.add(n.here)
		return
	}
	if n.star != nil {
		w.at(n.star, place+1)
	}
	if c, ok := w.child(n, place); ok {
		w.at(c, place+1)
	}
}

// after visits the node n of a '#' that begins at place.
func (w *topicWalk) after(n *topicNode, place int32) {
	w.add(n.here)
	if n.words == nil {
		return
	}
	base := len(w.places)
	for ; int(place) < len(w.words); place++ {
		w.places = append(w.places, place)
	}
	w.follow(n, w.places[base:])
	w.places = w.places[:base]
}

// atAll visits n at several places, ascending.
func (w *topicWalk) atAll(n *topicNode, places []int32) {
	if n.hash != nil {
		w.after(n.hash, places[0])
	}
	if last := len(places) - 1; int(places[last]) == len(w.words) {
		w.add(n.here)
		places = places[:last]
	}
	if n.star != nil && len(places) > 0 {
		base := len(w.places)
		for _, p := range places {
			w.places = append(w.places, p+1)
		}
		w.atAll(n.star, w.places[base:])
		w.places = w.places[:base]
	}
	if n.words != nil {
		w.follow(n, places)
	}
}

// follow visits the word children of n, each once, from places before the end.
func (w *topicWalk) follow(n *topicNode, places []int32) {
	base := len(w.hits)
	for _, p := range places {
		if c, ok := w.child(n, p); ok {
			w.hits = append(w.hits, topicHit{c, p})
		}
	}
	hits := w.hits[base:]
	for i := range hits {
		if hits[i].child != nil {
			w.followOne(hits[i:])
		}
	}
	w.hits = w.hits[:base]
}

// followOne visits the child of the first hit at the places of all its hits,
// and takes these out.
func (w *topicWalk) followOne(hits []topicHit) {
	c, base := hits[0].child, len(w.places)
	for i := range hits {
		if hits[i].child == c {
			w.places = append(w.places, hits[i].place+1)
			hits[i].child = nil
		}
	}
	w.atAll(c, w.places[base:])
	w.places = w.places[:base]
}
