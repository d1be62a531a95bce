package limit

import (
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
)

// Guard runs a goroutine of the service of one client. A panic in it is logged with its
// stack and closes conn, which ends the other goroutines of that client; the process goes
// on.
func Guard(log *slog.Logger, conn io.Closer, serve func()) {
	defer func() {
		if v := recover(); v != nil {
			log.Error("panic: the connection is closed", "err", fmt.Sprint(v), "stack", string(debug.Stack()))
			conn.Close()
		}
	}()
	serve()
}
