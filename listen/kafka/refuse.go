package kafka

import "github.com/twmb/franz-go/pkg/kmsg"

const (
	noGroups       = "consumer groups are not supported yet: read partitions directly"
	noConfigs      = "describing configurations is not supported yet"
	noCreation     = "hubs are made by the pipeline file, not by Kafka clients"
	noTransactions = "transactions are not supported yet"
)

// logRefusal logs a kind of request that is refused, once on a connection, with what to
// do instead.
func (c *conn) logRefusal(req kmsg.Request) {
	hint := noGroups
	switch req := req.(type) {
	case *kmsg.ListGroupsRequest:
		return
	case *kmsg.FindCoordinatorRequest:
		if req.CoordinatorType == 1 {
			hint = noTransactions
		}
	case *kmsg.CreateTopicsRequest:
		hint = noCreation
	case *kmsg.DescribeConfigsRequest:
		hint = noConfigs
	}
	bit := uint64(1) << (req.Key() & 63)
	if c.refused&bit != 0 {
		return
	}
	c.refused |= bit
	c.log.Warn("request refused", "api", kmsg.NameForKey(req.Key()), "hint", hint)
}

// refuse answers requests that are understood but not served, each with an error
// code that clients report instead of trying again.
func refuse(req kmsg.Request) kmsg.Response {
	const code = codeUnsupportedVersion
	switch req := req.(type) {
	case *kmsg.FindCoordinatorRequest:
		return refuseCoordinator(req)
	case *kmsg.JoinGroupRequest:
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.SyncGroupRequest:
		resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.HeartbeatRequest:
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.LeaveGroupRequest:
		resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.ListGroupsRequest: // there are none
		return req.ResponseKind()
	case *kmsg.DescribeGroupsRequest:
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		for _, g := range req.Groups {
			d := kmsg.NewDescribeGroupsResponseGroup()
			d.Group, d.ErrorCode, d.ErrorMessage = g, code, kmsg.StringPtr(noGroups)
			resp.Groups = append(resp.Groups, d)
		}
		return resp
	case *kmsg.OffsetCommitRequest:
		return refuseCommit(req)
	case *kmsg.OffsetFetchRequest:
		return refuseOffsets(req)
	case *kmsg.CreateTopicsRequest:
		resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
		for _, t := range req.Topics {
			d := kmsg.NewCreateTopicsResponseTopic()
			d.Topic, d.ErrorCode, d.ErrorMessage = t.Topic, codePolicyViolation, kmsg.StringPtr(noCreation)
			resp.Topics = append(resp.Topics, d)
		}
		return resp
	case *kmsg.DescribeConfigsRequest:
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, r := range req.Resources {
			d := kmsg.NewDescribeConfigsResponseResource()
			d.ErrorCode, d.ErrorMessage = codeInvalidRequest, kmsg.StringPtr(noConfigs)
			d.ResourceType, d.ResourceName = r.ResourceType, r.ResourceName
			resp.Resources = append(resp.Resources, d)
		}
		return resp
	}
	return req.ResponseKind()
}

func refuseCoordinator(req *kmsg.FindCoordinatorRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	code, note := codeUnsupportedVersion, noGroups
	if req.CoordinatorType == 1 {
		code, note = codeTransactionalAuth, noTransactions
	}
	resp.ErrorCode, resp.ErrorMessage = code, &note
	resp.NodeID, resp.Port = -1, -1
	for _, key := range req.CoordinatorKeys {
		k := kmsg.NewFindCoordinatorResponseCoordinator()
		k.Key, k.NodeID, k.Port, k.ErrorCode, k.ErrorMessage = key, -1, -1, code, &note
		resp.Coordinators = append(resp.Coordinators, k)
	}
	return resp
}

func refuseCommit(req *kmsg.OffsetCommitRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic, rt.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, codeUnsupportedVersion
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func refuseOffsets(req *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	resp.ErrorCode = codeUnsupportedVersion
	for _, t := range req.Topics { // up to version 1 there is no other place for the error
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetFetchResponseTopicPartition()
			rp.Partition, rp.Offset, rp.ErrorCode = p, -1, codeUnsupportedVersion
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	for _, g := range req.Groups {
		rg := kmsg.NewOffsetFetchResponseGroup()
		rg.Group, rg.ErrorCode = g.Group, codeUnsupportedVersion
		resp.Groups = append(resp.Groups, rg)
	}
	return resp
}
