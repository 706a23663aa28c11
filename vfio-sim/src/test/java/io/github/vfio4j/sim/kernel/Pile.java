package io.github.vfio4j.sim.kernel;

import io.github.vfio4j.Access;
import io.github.vfio4j.Container;
import io.github.vfio4j.Device;
import io.github.vfio4j.DmaBuffer;
import io.github.vfio4j.Group;
import io.github.vfio4j.Interrupts;
import io.github.vfio4j.IommuType;
import io.github.vfio4j.Mmio;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciConfig;
import io.github.vfio4j.PciIrq;
import io.github.vfio4j.Region;
import io.github.vfio4j.RuleViolation;
import io.github.vfio4j.Type1;
import io.github.vfio4j.Vfio;
import io.github.vfio4j.Waiter;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * All that can hang on the devices of a group, to be closed in any order. A new kind of handle goes in here: what closes
 * it, what else ends it, and a use of it.
 */
final class Pile {
    final Vfio vfio;
    final Container container;
    final Group group;
    final Type1 iommu;
    final Device device;
    final Mmio registers;
    final DmaBuffer memory;
    final Interrupts interrupts;
    final Waiter waiter;

    /** What closes each handle. */
    final Map<String, AutoCloseable> closes = new LinkedHashMap<>();
    /** The uses of the handles; one of a handle that has ended throws. */
    final List<Use> uses = new ArrayList<>();

    /**
     * A use of a handle.
     *
     * @param what the handle
     * @param endedBy whose close ends it
     * @param run uses it
     */
    record Use(String what, Set<String> endedBy, Runnable run) {
        /** Does the handle still work? */
        boolean works() {
            try {
                run.run();
                return true;
            } catch (RuleViolation e) {
                return false;
            } catch (IllegalStateException e) { // of a memory segment
                return false;
            }
        }
    }

    /**
     * Opens all of it.
     *
     * @param devices of one group, one or two; the last one has MSI
     */
    Pile(Vfio vfio, List<PciAddress> devices) {
        this.vfio = vfio;
        container = vfio.openContainer();
        group = vfio.openGroup(vfio.pciDevice(devices.getFirst()).iommuGroup().orElseThrow());
        container.attach(group);
        iommu = container.setIommu(IommuType.TYPE1_V2);
        memory = iommu.allocate(8192, Access.READ_WRITE);
        device = iommu.openDevice(group, devices.getLast());
        registers = device.region(0).map();
        interrupts = device.irq(PciIrq.MSI).enable();
        waiter = vfio.openWaiter();
        waiter.add(interrupts.get(0));
        PciConfig config = device.config();
        Region bar = device.region(0);

        close("memory", memory);
        close("interrupts", interrupts);
        close("waiter", waiter);
        close("device", device);
        close("group", group);
        close("container", container);
        use("container", () -> container.supports(IommuType.TYPE1_V2), "container");
        use("group", group::status, "group");
        use("IOMMU", iommu::info, "group", "container");
        use("memory", () -> memory.segment().get(ValueLayout.JAVA_BYTE, 0), "memory", "group", "container");
        use("device", () -> device.region(0), "device", "group", "container");
        use("region", bar::map, "device", "group", "container");
        use("configuration space", () -> config.read16(0), "device", "group", "container");
        use("registers", () -> registers.read32Opaque(0), "device", "group", "container");
        use("interrupt", () -> interrupts.get(0).poll(), "interrupts", "device", "group", "container");
        use("trigger", () -> interrupts.get(0).trigger(), "interrupts", "device", "group", "container");
        use(
                "waiter",
                () -> waiter.await(Duration.ZERO, (_, _) -> {}),
                "waiter",
                "interrupts",
                "device",
                "group",
                "container");
        if (devices.size() > 1) {
            Device second = iommu.openDevice(group, devices.getFirst());
            close("second device", second);
            use("second device", () -> second.region(0), "second device", "group", "container");
        }
    }

    private void close(String name, AutoCloseable handle) {
        closes.put(name, handle);
    }

    private void use(String what, Runnable run, String... endedBy) {
        uses.add(new Use(what, Set.of(endedBy), run));
    }
}
