package broker

import "fmt"

// level is a compatibility level: the only place that knows how versions of
// RabbitMQ differ.
type level struct {
	name     string
	reported string // the version that clients are told
	// unknownTypeHard: an unknown exchange type closes the connection with 503;
	// later versions close the channel with 406.
	unknownTypeHard bool
	// named: server properties carry leveret_version beside RabbitMQ's own, of
	// which 3.10 is an exact replay.
	named bool
	// policyTargets is what the text of a wrong apply-to lists.
	policyTargets string
	// deliveryLimit is that of quorum queues that do not say theirs; 0: none.
	deliveryLimit int64
	// freeNacks: basic.nack does not count towards it.
	freeNacks bool
}

const (
	oldTargets = "'queues', 'exchanges' or 'all'"
	newTargets = "one of: 'queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', or 'all'"
)

func levelOf(name string) (level, error) {
	switch name {
	case "3.10":
		return level{name: name, reported: "3.10.8", unknownTypeHard: true, policyTargets: oldTargets}, nil
	case "", "3.13":
		return level{name: "3.13", reported: "3.13.7", named: true, policyTargets: newTargets}, nil
	case "4.3":
		return level{name: name, reported: "4.3.0", named: true, policyTargets: newTargets, deliveryLimit: 20, freeNacks: true}, nil
	}
	return level{}, fmt.Errorf("compatibility %q: must be 3.10, 3.13 or 4.3", name)
}
