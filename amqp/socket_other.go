//go:build !unix

package amqp

const canPeek = false

func readable(uintptr) bool { return true }

func sendSome(uintptr, []byte) int { return 0 }
