/** The {@code vfio} command and drivers written with vfio4j, to read and to start from. */
module io.github.vfio4j.examples {
    requires transitive io.github.vfio4j;
    requires io.github.vfio4j.ffm;
    requires transitive io.github.vfio4j.sim;

    exports io.github.vfio4j.examples.driver;
    exports io.github.vfio4j.examples.e1000e;
    exports io.github.vfio4j.examples.edu;
    exports io.github.vfio4j.examples.models;
    exports io.github.vfio4j.examples.net;
    exports io.github.vfio4j.examples.nvme;
    exports io.github.vfio4j.examples.virtio;
}
