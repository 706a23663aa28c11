/** A simulated kernel and simulated PCI devices behind the same system-call port as Linux: for tests without hardware. */
module io.github.vfio4j.sim {
    requires transitive io.github.vfio4j;
    requires io.github.vfio4j.ffm;

    exports io.github.vfio4j.sim;
    exports io.github.vfio4j.sim.nvme;
}
