package kafka

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Keys of the requests that have a handler here.
const (
	keyProduce       int16 = 0
	keyFetch         int16 = 1
	keySASLHandshake int16 = 17
	keyAPIVersions   int16 = 18
	keySASLAuth      int16 = 36
)

// api is one entry of what ApiVersions answers.
type api struct{ key, min, max int16 }

// apis lists the requests that are understood, with their versions. The minima
// are low on purpose: old librdkafka takes features from exact versions (Produce
// 2, SaslHandshake 0), kafkajs does not know newer ones.
var apis = []api{
	{keyProduce, 0, 13}, // 0-2 are answered with code 35
	{keyFetch, 4, 18},
	{2, 0, 10}, // ListOffsets
	{3, 0, 13}, // Metadata
	{8, 0, 10}, // OffsetCommit
	{9, 0, 10}, // OffsetFetch
	{10, 0, 5}, // FindCoordinator
	{11, 0, 9}, // JoinGroup
	{12, 0, 4}, // Heartbeat
	{13, 0, 5}, // LeaveGroup
	{14, 0, 5}, // SyncGroup
	{15, 0, 6}, // DescribeGroups
	{16, 0, 5}, // ListGroups
	{keySASLHandshake, 0, 1},
	{keyAPIVersions, 0, 5},
	{19, 0, 7}, // CreateTopics
	{22, 0, 5}, // InitProducerID
	{23, 2, 4}, // OffsetForLeaderEpoch
	{32, 0, 4}, // DescribeConfigs
	{keySASLAuth, 0, 2},
	{60, 0, 2}, // DescribeCluster
}

// supported finds a key's entry.
func supported(key int16) (api, bool) {
	if i := slices.IndexFunc(apis, func(a api) bool { return a.key == key }); i >= 0 {
		return apis[i], true
	}
	return api{}, false
}

// flexibleRequest says whether a request has tagged fields in header and body.
func flexibleRequest(key, version int16) bool {
	switch key {
	case keyProduce:
		return version >= 9
	case keySASLHandshake:
		return false
	}
	r := kmsg.RequestForKey(key)
	r.SetVersion(version)
	return r.IsFlexible()
}

func (c *conn) apiVersions(req *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if req.Version >= 3 && (!softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion)) {
		resp.ErrorCode = codeInvalidRequest
		return resp
	}
	if req.Version >= 5 && (req.ClusterID != nil || req.NodeID != -1) {
		switch {
		case req.ClusterID == nil || req.NodeID == -1:
			resp.ErrorCode = codeInvalidRequest
			return resp
		case *req.ClusterID != c.s.o.ClusterID || req.NodeID != nodeID:
			resp.ErrorCode = codeRebootstrap
			return resp
		}
	}
	for _, a := range apis {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = a.key, a.min, a.max
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	return resp
}

// tooNewAPIVersions is the answer to a version we do not know: in the form of
// version 0, with our range, so that the client asks again.
func tooNewAPIVersions() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.ErrorCode = codeUnsupportedVersion
	a, _ := supported(keyAPIVersions)
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = a.key, a.min, a.max
	resp.ApiKeys = append(resp.ApiKeys, k)
	return resp
}

// softwareName reports whether s matches [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?
func softwareName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case (c == '-' || c == '.') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}
