/** Linux behind the vfio4j API, through the Foreign Function and Memory interface. Needs native access. */
@SuppressWarnings("module") // the qualified export names a module that is built after this one
module io.github.vfio4j.ffm {
    requires transitive io.github.vfio4j;

    exports io.github.vfio4j.ffm to
            io.github.vfio4j.sim;
    exports io.github.vfio4j.ffm.gen to
            io.github.vfio4j.sim;
    exports io.github.vfio4j.ffm.port to
            io.github.vfio4j.sim;
    exports io.github.vfio4j.ffm.uapi to
            io.github.vfio4j.sim;

    provides io.github.vfio4j.spi.KernelProvider with
            io.github.vfio4j.ffm.LinuxKernelProvider;
}
