package main

import (
	"reflect"
	"testing"
)

func TestFigurePrints(t *testing.T) {
	for _, c := range []struct {
		f    figure
		want string
	}{
		{figure{"", perSecond, 1_234_567}, "1.23 M/s"},
		{figure{"", perSecond, 45_600}, "46 k/s"},
		{figure{"", perSecond, 4_560}, "4.6 k/s"},
		{figure{"", perSecond, 456}, "456 /s"},
		{figure{"", micros, 0.256}, "0.26 µs"},
		{figure{"fill", micros, 12.34}, "fill 12.3 µs"},
		{figure{"RSS", megabytes, 2345.6}, "RSS 2346 MB"},
		{figure{"open", files, 7}, "open 7 files"},
		{figure{"confirm p50", millis, 0.3}, "confirm p50 0.30 ms"},
	} {
		if got := c.f.String(); got != c.want {
			t.Errorf("%+v prints %q, want %q", c.f, got, c.want)
		}
	}
}

func TestCombineTakesBestRateAndMedianOfTheRest(t *testing.T) {
	runs := [][]figure{
		{{"", perSecond, 10}, {"", micros, 3}, {"p50", millis, 1}},
		{{"", perSecond, 30}, {"", micros, 1}, {"p50", millis, 9}},
		{{"", perSecond, 20}, {"", micros, 2}, {"p50", millis, 5}},
	}
	want := []figure{{"", perSecond, 30}, {"", micros, 2}, {"p50", millis, 5}}
	if got := combine(runs); !reflect.DeepEqual(got, want) {
		t.Errorf("combined %v, want %v", got, want)
	}
	if got := combine(runs[:1]); !reflect.DeepEqual(got, runs[0]) {
		t.Errorf("one run combined is %v", got)
	}
}

func TestJudge(t *testing.T) {
	relayed := []figure{{"reads of 1024 KiB", micros, 20}, {"reads of 64 KiB", micros, 40}}
	for _, c := range []struct {
		name     string
		bars     []bar
		figures  []figure
		baseline []figure
		asked    string
		verdict  string
	}{
		{"nothing asked", nil, []figure{{"", micros, 1}}, nil, "", ""},
		{"rate and CPU met", []bar{{perSecond, 0, 1000}, {micros, 0, 2}}, []figure{{"", perSecond, 1000}, {"", micros, 2}}, nil, "≥ 1.0 k/s, ≤ 2.00 µs", "met"},
		{"rate too low", []bar{{perSecond, 0, 1000}, {micros, 0, 2}}, []figure{{"", perSecond, 999}, {"", micros, 2}}, nil, "≥ 1.0 k/s, ≤ 2.00 µs", "NOT MET: 999 /s"},
		{"CPU too high", []bar{{"fill " + micros, 0, 2}}, []figure{{"fill", micros, 2.1}}, nil, "fill ≤ 2.00 µs", "NOT MET: fill 2.10 µs"},
		{"against a baseline", []bar{{micros, 1.4, 0}}, []figure{{"", micros, 28}}, relayed, "≤ 28.0 µs", "met"},
		{"baseline and something", []bar{{micros, 1, 30}}, []figure{{"", micros, 51}}, relayed, "≤ 50.0 µs", "NOT MET: 51.0 µs"},
		{"no baseline", []bar{{micros, 1, 30}}, []figure{{"", micros, 51}}, nil, "≤ 0.00 µs", "NOT MET: not measured: µs"},
		{"no figure", []bar{{"RSS " + megabytes, 0, 5}}, nil, nil, "RSS ≤ 5.00 MB", "NOT MET: not measured: RSS MB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, verdict := judge(c.bars, c.figures, c.baseline)
			if asked != c.asked || verdict != c.verdict {
				t.Errorf("judged %q, %q; want %q, %q", asked, verdict, c.asked, c.verdict)
			}
		})
	}
}
