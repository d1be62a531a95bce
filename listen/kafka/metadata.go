package kafka

import (
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"spate/access"
	"spate/hub"
)

// nodeID is the id of the only broker there is.
const nodeID = 0

// advertised is the address that this client is told to connect to.
func (c *conn) advertised() (string, int32) {
	if c.s.port != 0 {
		return c.s.host, c.s.port
	}
	if a, ok := c.nc.LocalAddr().(*net.TCPAddr); ok {
		return a.IP.String(), int32(a.Port)
	}
	return "localhost", 9092
}

func (c *conn) metadata(req *kmsg.MetadataRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.MetadataResponse)
	host, port := c.advertised()
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, host, port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = &c.s.o.ClusterID
	resp.ControllerID = nodeID

	all := req.Topics == nil || req.Version == 0 && len(req.Topics) == 0
	if all {
		for _, h := range c.s.o.Namespace.Hubs() {
			if c.mayDescribe(h) {
				resp.Topics = append(resp.Topics, c.describeTopic(h, h.Name()))
			}
		}
		return resp
	}
	seen := make(map[string]bool, len(req.Topics))
	for _, asked := range req.Topics {
		key := string(asked.TopicID[:])
		if asked.Topic != nil {
			key = "name " + *asked.Topic
		}
		if seen[key] { // it is answered once, as brokers do
			continue
		}
		seen[key] = true
		var h *hub.Hub
		ok := false
		name := ""
		failed := kmsg.NewMetadataResponseTopic()
		if asked.Topic != nil {
			name = *asked.Topic
			failed.Topic, failed.ErrorCode = &name, codeUnknownTopic
			h, ok = c.s.o.Namespace.Hub(name)
		} else {
			failed.TopicID, failed.ErrorCode = asked.TopicID, codeUnknownTopicID
			h, ok = c.s.o.Namespace.HubByID(asked.TopicID)
			if ok {
				name = h.Name()
			} else if req.Version < 12 {
				failed.Topic = kmsg.StringPtr("") // the name may be null from version 12 on
			}
		}
		if ok && !c.mayDescribe(h) {
			ok = false
			failed.Topic, failed.ErrorCode = &name, codeTopicAuth
		}
		if !ok {
			resp.Topics = append(resp.Topics, failed)
			continue
		}
		resp.Topics = append(resp.Topics, c.describeTopic(h, name))
	}
	return resp
}

// mayDescribe says whether the client has any right on the hub.
func (c *conn) mayDescribe(h *hub.Hub) bool { return c.claims.Allows(h.Name(), access.Any) }

// describeTopic answers with the name as the client spelled it: it looks for that.
func (c *conn) describeTopic(h *hub.Hub, name string) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic, t.TopicID = &name, h.ID()
	for i := range h.Partitions() {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), nodeID, h.Partition(i).Epoch()
		p.Replicas, p.ISR = []int32{nodeID}, []int32{nodeID}
		t.Partitions = append(t.Partitions, p)
	}
	return t
}

func (c *conn) describeCluster(req *kmsg.DescribeClusterRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeClusterResponse)
	host, port := c.advertised()
	b := kmsg.NewDescribeClusterResponseBroker()
	b.NodeID, b.Host, b.Port = nodeID, host, port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID, resp.ControllerID = c.s.o.ClusterID, nodeID
	return resp
}

// partition finds a partition for an admin or offset request that needs Listen.
func (c *conn) partition(name string, id [16]byte, index int32) (*hub.Partition, int16) {
	var t *topic
	if name == "" && id != [16]byte{} {
		if t = c.topicByID(id); t == nil {
			return nil, codeUnknownTopicID
		}
	} else if t = c.topicByName([]byte(name)); t == nil {
		return nil, codeUnknownTopic
	}
	if !t.listen {
		return nil, codeTopicAuth
	}
	p, ok := t.partition(index)
	if !ok {
		return nil, codeUnknownTopic
	}
	return p, codeNone
}
