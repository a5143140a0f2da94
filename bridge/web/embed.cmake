# cmake -DIN=home.html -DOUT=home_html.c -DNAME=home_html -P embed.cmake
# A file as an array of bytes, so that the program needs no file at run time.
file(READ "${IN}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE "${OUT}"
     "#include \"bridge/web/pages.h\"\n"
     "const unsigned char ${NAME}[] = {${bytes}};\n"
     "const size_t ${NAME}_len = sizeof(${NAME});\n")
