# Turns theme files into C: themes_builtin[] of "ui/theme.h".
BEGIN { print "#include \"ui/theme.h\"\n\nconst struct theme_builtin themes_builtin[] = {" }
FNR == 1 {
    if (NR > 1) print "    },"
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.theme$/, "", name)
    print "    {\"" name "\","
}
{
    gsub(/[\\"]/, "\\\\&")
    print "     \"" $0 "\\n\""
}
END { print "    },\n    {NULL, NULL},\n};" }
