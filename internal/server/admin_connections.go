package server

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/pushd/pushd/conn"
	"github.com/pushd/pushd/internal/dialect"
)

type connBody struct {
	ID            string   `json:"id"`
	User          string   `json:"user,omitempty"`
	TokenID       string   `json:"token_id,omitempty"`
	Dialect       string   `json:"dialect"`
	Address       string   `json:"address"`
	OpenedMS      int64    `json:"opened_ms"` // ago
	Topics        []string `json:"topics"`    // the first few
	Subscriptions int      `json:"subscriptions"`
	Queued        int      `json:"queued"` // bytes
	Behind        uint64   `json:"behind"` // messages

	handle conn.Handle
}

func (s *Server) connBodyOf(i connInfo) connBody {
	b := connBody{i.Handle.String(), i.User, i.TokenID, i.Dialect, s.address(i), i.Opened.Milliseconds(), i.Topics, i.Subscriptions, i.Queued, i.Behind, i.Handle}
	if b.Topics == nil {
		b.Topics = []string{}
	}
	return b
}

type connPage struct {
	Connections []connBody `json:"connections"`
	Next        string     `json:"next,omitempty"`
}

// listConnections answers with a page of connections, or with those that are
// furthest behind.
func (s *Server) listConnections(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit, err := limitOf(r)
	var after *conn.Handle
	if id := query.Get("after"); err == nil && id != "" {
		var h conn.Handle
		h, err = parseID(id)
		after = &h
	}
	which := which{topic: query.Get("topic"), user: query.Get("user")}
	if err == nil && which.topic != "" {
		err = dialect.CheckTopicOrUser(which.topic)
	}
	if err == nil && which.user != "" {
		err = dialect.CheckUser(which.user)
	}
	var page connPage
	if err == nil {
		switch sort := query.Get("sort"); {
		case sort == "" || sort == "id":
			page, err = s.connectionsByID(r, which, after, limit)
		case sort != "lag":
			err = &dialect.Error{Code: dialect.CodeBadRequest, Message: "sort " + quote(sort) + ": expected id or lag"}
		case after != nil:
			err = &dialect.Error{Code: dialect.CodeBadRequest, Message: "sort=lag has one page: expected no after="}
		default:
			page, err = s.connectionsByLag(r, which, limit)
		}
	}
	if err != nil {
		refuseError(w, err)
		return
	}
	answer(w, http.StatusOK, page)
}

func parseID(id string) (conn.Handle, error) {
	h, err := conn.ParseHandle(id)
	if err != nil {
		err = &dialect.Error{Code: dialect.CodeBadRequest, Message: err.Error()}
	}
	return h, err
}

func (s *Server) connectionsByID(r *http.Request, w which, after *conn.Handle, limit int) (connPage, error) {
	page := connPage{Connections: []connBody{}}
	err := s.eachConnection(r.Context(), w, after, func(i connInfo) bool {
		if n := len(page.Connections); n == limit {
			page.Next = page.Connections[n-1].ID
			return false
		}
		page.Connections = append(page.Connections, s.connBodyOf(i))
		return true
	})
	if err != nil {
		return connPage{}, err // a shard may still be writing to page
	}
	return page, nil
}

func (s *Server) connectionsByLag(r *http.Request, w which, limit int) (connPage, error) {
	page := connPage{Connections: []connBody{}}
	most := func() {
		slices.SortFunc(page.Connections, func(a, b connBody) int {
			return cmp.Or(cmp.Compare(b.Behind, a.Behind), cmp.Compare(b.Queued, a.Queued), cmp.Compare(a.handle, b.handle))
		})
		page.Connections = page.Connections[:min(limit, len(page.Connections))]
	}
	err := s.eachConnection(r.Context(), w, nil, func(i connInfo) bool {
		if i.Behind > 0 || i.Queued > 0 {
			page.Connections = append(page.Connections, s.connBodyOf(i))
		}
		if len(page.Connections) >= 2*limit {
			most()
		}
		return true
	})
	if err != nil {
		return connPage{}, err // a shard may still be writing to page
	}
	most()
	return page, nil
}
