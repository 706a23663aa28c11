package io.github.vfio4j.ffm.uapi;

/**
 * One value of the bindings, and the C expression that must have the same value.
 *
 * @param kind what is compared
 * @param subject the struct, constant or macro that the value belongs to
 * @param expression the C expression: an integer, or a string for {@link Kind#STRING}
 * @param value what the bindings say
 */
record Probe(Kind kind, String subject, String expression, String value) {

    enum Kind {
        STRUCT_SIZE("struct sizes"),
        STRUCT_ALIGNMENT("struct alignments"),
        FIELD_OFFSET("field offsets"),
        FIELD_SIZE("field sizes"),
        CONSTANT("constants"),
        IOCTL("ioctl numbers"),
        STRING("strings"),
        MACRO("results of macros with a parameter"),
        C_TYPE("C types");

        final String plural;

        Kind(String plural) {
            this.plural = plural;
        }
    }

    Probe(Kind kind, String subject, String expression, long value) {
        this(kind, subject, expression, Long.toString(value));
    }

    Probe withValue(String other) {
        return new Probe(kind, subject, expression, other);
    }
}
