package sim

import "net/http"

// ConsumerState is what the control port says of one value that a consumer holds: where it is and whether it would be
// taken at this moment, and not what it is.
type ConsumerState struct {
	Kind     string `json:"kind"`
	Consumer string `json:"consumer"`
	Name     string `json:"name,omitempty"`
	Works    bool   `json:"works"`
	Why      string `json:"why,omitempty"`
}

func (s *Server) getConsumers(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.Consumers())
}

// Consumers lists what the world's service connections, variable groups, runbooks, assets, API connections and apps hold.
// A test in the same process finds the values themselves at World().Holdings.
func (s *Server) Consumers() []ConsumerState {
	s.world.Lock()
	defer s.world.Unlock()
	out := []ConsumerState{}
	for _, h := range s.world.Holdings() {
		tried := s.world.Works(h)
		out = append(out, ConsumerState{h.Kind, h.Consumer, h.Name, tried.Works, tried.Why})
	}
	return out
}
