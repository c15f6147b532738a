package logs

import (
	"log/slog"
	"math"

	"github.com/leveretmq/leveret/cmd/leveret/config"
)

// none is above every level.
const none = slog.Level(math.MaxInt32)

// Level is slog's level for a name of RabbitMQ's; an empty or unknown name is
// info.
func Level(name string) slog.Level {
	switch name {
	case "debug":
		return slog.LevelDebug
	case "notice":
		return slog.LevelInfo + 2
	case "warning":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	case "critical":
		return slog.LevelError + 4
	case "alert":
		return slog.LevelError + 8
	case "emergency":
		return slog.LevelError + 12
	case "none":
		return none
	}
	return slog.LevelInfo
}

// levelName is the name for slog's level.
func levelName(l slog.Level) string {
	for _, name := range []string{"emergency", "alert", "critical", "error", "warning", "notice", "info"} {
		if l >= Level(name) {
			return name
		}
	}
	return "debug"
}

// levels are the thresholds; they are never changed, only replaced.
type levels struct {
	outputs    [2]string // by output; empty: nothing of its own
	categories map[string]string
	general    string // of categories without one; empty: info
}

func newLevels(o config.Log) *levels {
	return &levels{outputs: [2]string{consoleOutput: o.Console.Level, fileOutput: o.File.Level}, categories: o.Categories, general: o.Level}
}

// pass says whether a line is written: its level has to reach both the output's
// and the category's, as far as they are set.
func (l *levels) pass(output int, domain string, level slog.Level) bool {
	category, set := l.categories[domain]
	if !set {
		category = l.general
	}
	if own := l.outputs[output]; own != "" {
		return level >= Level(own) && (category == "" || level >= Level(category))
	}
	return level >= Level(category)
}
