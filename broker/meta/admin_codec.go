package meta

import (
	"encoding/json"
	"maps"
	"slices"
)

func (v *VHost) key() []byte { return key(kindVHost, v.Name) }

func (v *VHost) code(c *coder) {
	c.texts(&v.Name)
	if c.format >= 2 {
		c.texts(&v.Description, &v.DefaultQueueType)
		c.list(&v.Tags)
		c.flags(&v.Tracing, &v.Protected)
		c.limits(&v.Limits)
	}
}

func (u *User) key() []byte { return key(kindUser, u.Name) }

func (u *User) code(c *coder) {
	c.texts(&u.Name, &u.PasswordHash, &u.Algorithm)
	c.list(&u.Tags)
	if c.format >= 2 {
		c.limits(&u.Limits)
	}
}

func (p *Permission) key() []byte { return key(kindPermission, p.User, p.VHost) }

func (p *Permission) code(c *coder) {
	c.texts(&p.User, &p.VHost, &p.Configure, &p.Write, &p.Read)
}

func (p *TopicPermission) key() []byte {
	return key(kindTopicPermission, p.User, p.VHost, p.Exchange)
}

func (p *TopicPermission) code(c *coder) {
	c.texts(&p.User, &p.VHost, &p.Exchange, &p.Write, &p.Read)
}

func (p *Policy) key() []byte {
	if p.Operator {
		return key(kindOperatorPolicy, p.VHost, p.Name)
	}
	return key(kindPolicy, p.VHost, p.Name)
}

func (p *Policy) code(c *coder) {
	c.flags(&p.Operator)
	c.texts(&p.VHost, &p.Name, &p.Pattern, &p.ApplyTo)
	c.signed(&p.Priority)
	c.json(&p.Definition)
}

func (p *Parameter) key() []byte { return key(kindParameter, p.Component, p.VHost, p.Name) }

func (p *Parameter) code(c *coder) {
	c.texts(&p.Component, &p.VHost, &p.Name)
	c.json(&p.Value)
}

func (p *GlobalParameter) key() []byte { return key(kindGlobalParameter, p.Name) }

func (p *GlobalParameter) code(c *coder) {
	c.texts(&p.Name)
	c.json(&p.Value)
}

// signed is a zigzag-encoded number.
func (c *coder) signed(n *int64) {
	u := uint64(*n)<<1 ^ uint64(*n>>63)
	c.number(&u)
	*n = int64(u>>1) ^ -int64(u&1)
}

// json is a text that has to be valid JSON.
func (c *coder) json(v *json.RawMessage) {
	text := string(*v)
	c.texts(&text)
	if !c.reading {
		return
	}
	*v = json.RawMessage(text)
	c.bad = c.bad || !json.Valid(*v)
}

// limits are a list of names and numbers, ascending by name.
func (c *coder) limits(l *Limits) {
	names := slices.Sorted(maps.Keys(*l))
	c.list(&names)
	if c.reading && len(names) > 0 {
		*l = Limits{}
	}
	for _, name := range names {
		n := (*l)[name]
		c.signed(&n)
		if c.reading && !c.bad {
			(*l)[name] = n
		}
	}
}
