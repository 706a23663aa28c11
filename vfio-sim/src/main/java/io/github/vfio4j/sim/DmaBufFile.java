package io.github.vfio4j.sim;

/** An open dma-buf. Nobody in the machine imports one, so it can be held and closed alone. */
final class DmaBufFile extends SimFile {
    private final String device;

    DmaBufFile(String device) {
        this.device = device;
    }

    @Override
    void release() {
        // The device does not hold it.
    }

    @Override
    public String toString() {
        return "dma-buf of vfio device " + device;
    }
}
