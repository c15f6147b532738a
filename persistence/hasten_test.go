package persistence

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestHasten: who is alone is served at once, on his own goroutine; who has
// company shares a sync.
func TestHasten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, w := open(t, Options{FS: NewMemory()})
		defer l.Close()
		next := uint64(0)
		publish := func() uint64 {
			next++
			return w.publish([]uint64{1, next}, 0, "", 100)
		}
		if l.Hasten(publish()) {
			t.Error("hastened before it is known that the disk is quick")
		}
		await(t, l, publish())
		syncs := l.Stats().Syncs
		for range 3 {
			pos := publish()
			if !l.Hasten(pos) || l.Durable() <= pos {
				t.Fatalf("position %d is not durable, %d is", pos, l.Durable())
			}
		}
		if got := l.Stats().Syncs - syncs; got != 3 {
			t.Errorf("%d syncs for three that were alone", got)
		}
		both := make(signal, 2)
		l.work.committer.turn.Lock()
		l.Notify(publish(), both)
		l.Notify(publish(), both)
		l.work.committer.turn.Unlock()
		<-both
		<-both
		synctest.Wait()
		if l.Hasten(publish()) {
			t.Error("hastened although two have waited for the last sync")
		}
	})
}

// TestHastenFails: an error is the log's end, told once.
func TestHastenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := NewMemory()
		var told []error
		l, w := open(t, Options{FS: fs, OnError: func(err error) { told = append(told, err) }})
		await(t, l, w.publish([]uint64{1, 1}, 0, "", 100))
		synctest.Wait()
		once(fs, "sync")
		if l.Hasten(w.publish([]uint64{1, 2}, 0, "", 100)) {
			t.Error("durable in spite of the error")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !errors.Is(l.Err(), syscall.EIO) || len(told) != 1 {
			t.Errorf("Err is %v, OnError was told %v", l.Err(), told)
		}
		l.Close()
	})
}
