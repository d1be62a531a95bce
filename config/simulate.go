package config

import (
	"strings"
	"time"

	"spate/pipeline"
	"spate/simulator"
)

// simulate is the map simulate as the file has it.
type simulate struct {
	pipeline.Simulate
	enabled bool
}

var simulateKeys = section[simulate]{
	key("enabled", ChangeLive, "`false`: not started.", boolean(true, func(s *simulate) *bool { return &s.enabled })).unprinted(),
	key("hub", ChangeLive, "Hub that the devices send to; needed where there are several.", simulatedHub()),
	key("devices", ChangeLive, "Devices.", integer(20, 1, 100000, func(s *simulate) *int { return &s.Devices })),
	key("interval", ChangeLive, "Time between two events of a device.", duration(5*time.Second, time.Millisecond, time.Hour, func(s *simulate) *time.Duration { return &s.Interval })),
	key("duration", ChangeLive, "How long the fleet sends; `0`: until the pipeline stops.", duration(0, 0, maxDuration, func(s *simulate) *time.Duration { return &s.Duration })),
	key("scenario", ChangeLive, "What the devices do.", scenario()),
	key("seed", ChangeLive, "The fleet of one seed is always the same.", integer(1, 0, 1<<62, func(s *simulate) *int64 { return &s.Seed })),
	key("via", ChangeLive, "Listener that the devices send to.", word("kafka", func(s *simulate) *string { return &s.Via }, "kafka", "amqp")),
	key("locations", ChangeLive, "Locations of the devices; without them, five.", list(func(s *simulate) *[]string { return &s.Locations })),
	key("deviceTypes", ChangeLive, "Types of the devices; without them, four.", list(func(s *simulate) *[]string { return &s.Types })),
}

func simulatedHub() value[simulate] {
	return value[simulate]{Key{Form: FormText, Default: "the only hub"},
		func(l *loader, o *object, key string, to *simulate) {
			if e := o.take(key); e != nil {
				if name, ok := o.textOf(e); ok {
					to.Hub = name
					l.needHub(o, e, name)
				}
			} else if len(l.o.Hubs) == 1 {
				to.Hub = l.o.Hubs[0].Name
			} else {
				o.missing(key, "name the hub that the devices send to")
			}
		},
		func(_ *Pipeline, from *simulate) any { return from.Hub }}
}

func scenario() value[simulate] {
	v := text("seed", func(s *simulate) *string { return &s.Scenario })
	v.Form = FormWord
	for _, s := range simulator.Scenarios() {
		v.Words = append(v.Words, string(s))
	}
	v.read = func(_ *loader, o *object, key string, to *simulate) {
		to.Scenario = o.text(key, "seed")
		if _, err := simulator.ParseScenario(to.Scenario); err != nil {
			o.fail(o.find(key), "E206", "", "%s", strings.TrimPrefix(err.Error(), "simulator: "))
		}
	}
	return v
}

// simulateValue is the map simulate; without it there is no fleet.
func simulateValue() value[pipeline.Options] {
	return value[pipeline.Options]{Key{Form: FormMap, Keys: simulateKeys.keys()},
		func(l *loader, o *object, key string, to *pipeline.Options) {
			m := o.child(key, false)
			if m == nil {
				return
			}
			var s simulate
			if simulateKeys.read(l, m, &s); s.enabled {
				to.Simulate = &s.Simulate
			}
		},
		func(p *Pipeline, from *pipeline.Options) any {
			if from.Simulate == nil {
				return nil
			}
			return simulateKeys.show(p, &simulate{*from.Simulate, true})
		}}
}
