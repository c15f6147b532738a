package exchange

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/leveretmq/leveret/amqp/wire"
)

const matchArgument = "x-match"

// checkMatch checks x-match. RabbitMQ shows the value as an Erlang term.
func checkMatch(args wire.Table) error {
	v, there := args.Get(matchArgument)
	if !there {
		return nil
	}
	mode, text := v.(string)
	switch {
	case !text:
		return wire.Errorf(wire.PreconditionFailed, "Invalid x-match field type %s (value %s); expected longstr",
			wire.TypeName(v), term(v))
	case mode == "all" || mode == "any" || mode == "all-with-x" || mode == "any-with-x":
		return nil
	}
	return wire.Errorf(wire.PreconditionFailed,
		"Invalid x-match field value %s; expected all, any, all-with-x, or any-with-x", binaryTerm(mode))
}

// Terms shows each field of a table as the Erlang term that RabbitMQ prints.
func Terms(t wire.Table) []string {
	terms := make([]string, len(t))
	for i, f := range t {
		terms[i] = "{" + binaryTerm(f.Name) + "," + wire.TypeName(f.Value) + "," + term(f.Value) + "}"
	}
	return terms
}

func term(v any) string {
	switch v := v.(type) {
	case float32:
		return floatTerm(float64(v))
	case float64:
		return floatTerm(v)
	case wire.Decimal:
		return fmt.Sprintf("{%d,%d}", v.Scale, v.Value)
	case string:
		return binaryTerm(v)
	case []byte:
		return binaryTerm(string(v))
	case wire.Table:
		return "[" + strings.Join(Terms(v), ",") + "]"
	case wire.Array:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, "{"+wire.TypeName(e)+","+term(e)+"}")
		}
		return "[" + strings.Join(parts, ",") + "]"
	case nil:
		return "undefined"
	}
	return fmt.Sprint(v)
}

// floatTerm has a point always.
func floatTerm(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	if exponent != "" {
		mantissa += "e" + strings.TrimPrefix(exponent, "+")
	}
	return mantissa
}

// binaryTerm shows octets as text when all are printable Latin-1.
func binaryTerm(s string) string {
	if s == "" {
		return "<<>>"
	}
	var text, numbers strings.Builder
	printable := true
	for i := range len(s) {
		c := s[i]
		escape := strings.IndexByte("\b\t\n\v\f\r\x1b\"\\", c)
		switch {
		case escape >= 0:
			text.WriteByte('\\')
			text.WriteByte("btnvfre\"\\"[escape])
		case c < 32 || c > 126 && c < 160:
			printable = false
		default:
			text.WriteByte(c)
		}
		numbers.WriteByte(',')
		numbers.WriteString(strconv.Itoa(int(c)))
	}
	if printable {
		return `<<"` + text.String() + `">>`
	}
	return "<<" + numbers.String()[1:] + ">>"
}
