# A terminal (tmux) for tests of the screens. Sourced after flow_lib.sh. The test's trap has to say "screen kill-server".
#
#   begin_screen COLS ROWS   a shell in it, in $PGC_DIR, with the prompt "prompt>"
#   press KEY ..., typed TEXT, text_of [PANE], shows PATTERN [PANE], expect WHAT PATTERN [PANE]
SOCKET=$PGC_DIR/tmux
screen() { tmux -S "$SOCKET" "$@"; }
text_of() { screen capture-pane -p -t "${1:-t}" 2>/dev/null; }
shows() { text_of "${2:-t}" | grep -qe "$1"; }
expect() { # WHAT PATTERN [PANE]
    if wait_until "${PGC_EXPECT_S:-20}" shows "$2" "${3:-t}"; then
        pass "$1"
    else
        fail "$1: no «$2» in:"
        text_of "${3:-t}" >&2
        exit 1 # what follows would be typed somewhere else
    fi
}
press() { screen send-keys -t t "$@"; }
typed() { screen send-keys -t t -l "$1"; }
begin_screen() { # COLS ROWS
    cd "$PGC_DIR" || exit 1
    screen -f /dev/null new-session -d -s t -x "$1" -y "$2" "exec bash --norc" || exit 1
    screen set-option -g remain-on-exit on
    press "PS1='prompt> '; clear" Enter
    expect "a shell" "^prompt>"
}
