package io.github.vfio4j.sim.differential;

/** Memory that the program has from start to end, alike under both kernels. */
enum Region {
    /** It can be read and written. */
    RAM(1024),
    /** It can only be read. */
    READ_ONLY(4),
    /** It can neither be read nor written. */
    NO_ACCESS(4),
    /** Its second page is missing. */
    HOLE(4);

    static final long PAGE = 4096;

    final int pages;

    Region(int pages) {
        this.pages = pages;
    }

    long bytes() {
        return pages * PAGE;
    }
}
