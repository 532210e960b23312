# Turns SQL files into C: mode=header gives the declarations, mode=source the text. Comment lines at
# the head of a file stay out of the program.
FNR == 1 {
    if (open_string) print "    ;"
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.sql$/, "", name)
    head = 1
    open_string = 0
    if (!started) {
        if (mode == "header") print "#ifndef PGC_SQL_SQL_H\n#define PGC_SQL_SQL_H\n"
        else print "#include \"sql/sql.h\"\n"
        started = 1
    }
    if (mode == "header") print "extern const char sql_" name "[];"
    else { print "const char sql_" name "[] ="; open_string = 1 }
}
head && /^--/ { next }
{ head = 0 }
mode == "source" {
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    print "    \"" $0 "\\n\""
}
END {
    if (mode == "header") print "\n#endif"
    else print "    ;"
}
