package io.github.vfio4j.bench;

/** The shortest program there is: opens a simulated device, maps its BAR, reads a register, prints it and ends. */
final class FirstRead {
    private FirstRead() {}

    /**
     * Reads.
     *
     * @param arguments none
     */
    public static void main(String[] arguments) {
        System.out.println(RegisterBenchmark.mapBar().read32Acquire(0));
    }
}
