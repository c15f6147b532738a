package servertest_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails when a goroutine of a broker outlives its Shutdown.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
