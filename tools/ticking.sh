# ticking COMMAND…: runs it, and tells every few seconds on standard error that it goes on: in one line
# that is kept current on a terminal, in lines of their own elsewhere.
ticking() {
    (
        seconds=0
        # It does not outlive the script, which Ctrl-C may end.
        while sleep 5 </dev/null >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
            seconds=$((seconds + 5))
            if [ -t 2 ]; then
                printf '\r  … %s s ' "$seconds" >&2
            elif [ $((seconds % 15)) = 0 ]; then
                echo "  … $seconds s" >&2
            fi
        done
    ) &
    ticker=$!
    status=0
    "$@" || status=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    if [ -t 2 ]; then printf '\r            \r' >&2; fi
    return "$status"
}
