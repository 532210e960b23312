# Turns SQL files into C: mode=header gives the declarations, mode=source the text. Comment lines at
# the head of a file stay out of the program.
# x.sql becomes `const char sql_x[]` of "sql/sql.h", unless -v prefix=sql_other_ -v header=other/sql.h.
BEGIN {
    if (prefix == "") prefix = "sql_"
    if (header == "") header = "sql/sql.h"
    guard = "PGC_" toupper(header)
    gsub(/[^A-Z0-9]/, "_", guard)
    if (mode == "header") print "#ifndef " guard "\n#define " guard "\n"
    else print "#include \"" header "\"\n"
}
FNR == 1 {
    if (open_string) print "    ;"
    name = FILENAME
    sub(/.*\//, "", name)
    sub(/\.sql$/, "", name)
    head = 1
    open_string = 0
    if (mode == "header") print "extern const char " prefix name "[];"
    else { print "const char " prefix name "[] ="; open_string = 1 }
}
head && /^--/ { next }
{ head = 0 }
mode == "source" {
    gsub(/[\\"]/, "\\\\&") # the one spelling that every awk takes for "a backslash before it"
    print "    \"" $0 "\\n\""
}
END {
    if (mode == "header") print "\n#endif"
    else print "    ;"
}
