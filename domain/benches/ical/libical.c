/* How long libical takes to parse a file: the best of some rounds, in milliseconds. */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 7

static double milliseconds(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1e3 + at.tv_nsec / 1e6;
}

static char *whole(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    long length = ftell(file);
    rewind(file);
    char *text = malloc((size_t)length + 1);
    if (!text || fread(text, 1, (size_t)length, file) != (size_t)length) return NULL;
    text[length] = 0;
    fclose(file);
    return text;
}

int main(int count, char **arguments) {
    char *text = count == 3 ? whole(arguments[1]) : NULL;
    if (!text) return 1;
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double began = milliseconds();
        icalcomponent *calendar = icalparser_parse_string(text);
        double took = milliseconds() - began;
        if (!calendar || icalcomponent_count_components(calendar, ICAL_VEVENT_COMPONENT) != atoi(arguments[2])) return 1;
        icalcomponent_free(calendar);
        if (took < best) best = took;
    }
    printf("libical parses\t%.2f\n", best);
    free(text);
    return 0;
}
