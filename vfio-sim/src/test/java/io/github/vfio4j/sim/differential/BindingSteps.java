package io.github.vfio4j.sim.differential;

import static io.github.vfio4j.ffm.gen.vfio_h.*;
import static io.github.vfio4j.sim.differential.Step.*;

import java.util.ArrayList;
import java.util.List;

/**
 * Steps of root's: functions lose their drivers and get others while programs have them or not.
 *
 * <p>Left out is a driver of the host's that gets a function which it is not for: it would write to registers that mean
 * something else.
 */
final class BindingSteps {
    private static final String VFIO_PCI = "vfio-pci";
    private static final String STUB = "pci-stub";

    private final Generator generator;
    private final List<String> hostDrivers;

    /**
     * Makes such steps.
     *
     * @param hostDrivers the drivers besides vfio-pci that both kernels have: pci-stub, and that of the network card
     */
    BindingSteps(Generator generator, List<String> hostDrivers) {
        this.generator = generator;
        this.hostDrivers = hostDrivers;
    }

    /** One step, or a few of which the first is returned and the others follow soon. */
    Step any() {
        String function = function();
        return switch (generator.oneOf(0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7)) {
            case 0 -> unbind(driver(), named(function));
            case 1 -> override(function, overriding(function));
            case 2 -> bind(driver(), named(function));
            case 3 -> probe(named(function));
            case 4 -> driverOf(function);
            case 5 -> stat(generator.pick(generator.groups()));
            case 6 -> generator.firstOf(exchange(function));
            default -> generator.firstOf(request());
        };
    }

    /** Gives a program the device that no IOMMU covers. */
    List<Step> unsafe() {
        String on = generator.chance(80) ? "Y" : generator.pick(List.of("N", "0", "on", "off", "x", "", "1"));
        String driver = generator.chance(90) ? VFIO_PCI : "";
        return List.of(
                sysfs(TwinMachine.UNSAFE_MODE, on),
                override(TwinMachine.UNSAFE, driver),
                generator.chance(50) ? probe(TwinMachine.UNSAFE) : bind(VFIO_PCI, TwinMachine.UNSAFE));
    }

    /** A device that a program has is wanted back: the program hears of it, and the unbinding waits. */
    private List<Step> request() {
        int device = generator.openDevice();
        int event = generator.free();
        if (device < 0 || event < 0) {
            return List.of(unbind(VFIO_PCI, function()));
        }
        String name = generator.nameOf(device);
        Step again = getDevice(generator.free(), generator.group(), text(name));
        Step ask = read(event, Long.BYTES);
        List<Step> steps = new ArrayList<>();
        if (generator.chance(75)) {
            int trigger = VFIO_IRQ_SET_DATA_EVENTFD() | VFIO_IRQ_SET_ACTION_TRIGGER();
            steps.add(eventfd(event, 0, 0));
            steps.add(ioctl(device, VFIO_DEVICE_SET_IRQS(), u32(24), u32(trigger), u32(VFIO_PCI_REQ_IRQ_INDEX()), u32(0), u32(1), fd(event)));
        }
        steps.add(unbind(VFIO_PCI, name));
        steps.add(ask);
        for (Step step : List.of(again, stat(generator.pick(generator.groups())), ask, ioctl(device, VFIO_DEVICE_RESET(), 0))) {
            if (generator.chance(60)) {
                steps.add(step);
            }
        }
        if (generator.chance(70)) {
            steps.add(close(device));
            steps.add(driverOf(name));
        }
        return steps;
    }

    /** Another driver, as root usually goes about it. */
    private List<Step> exchange(String function) {
        List<Step> steps = new ArrayList<>();
        steps.add(unbind(generator.chance(80) ? VFIO_PCI : driver(), function));
        if (generator.chance(70)) {
            steps.add(override(function, overriding(function)));
        }
        steps.add(generator.chance(60) ? probe(function) : bind(driver(), function));
        steps.add(driverOf(function));
        if (generator.chance(50)) {
            steps.add(unbind(driver(), function));
            steps.add(override(function, VFIO_PCI));
            steps.add(bind(VFIO_PCI, function));
        }
        return steps;
    }

    private String function() {
        return switch (generator.oneOf(0, 0, 0, 1, 1, 1, 2, 2, 2, 3)) {
            case 0 -> TwinMachine.EDU;
            case 1 -> TwinMachine.TESTDEV;
            case 2 -> generator.pick(TwinMachine.SHARED);
            default -> TwinMachine.BRIDGE;
        };
    }

    /** How the function is named to the kernel: rarely in a way that it does not know. */
    private String named(String function) {
        return generator.chance(92)
                ? function
                : generator.pick(List.of("", "0000:77:00.0", function + " ", " " + function, function.substring(5), function + "0", "x"));
    }

    private String driver() {
        return hostDrivers.isEmpty() || generator.chance(70) ? VFIO_PCI : generator.pick(hostDrivers);
    }

    private String overriding(String function) {
        List<String> drivers = new ArrayList<>(List.of(VFIO_PCI, VFIO_PCI, VFIO_PCI, "", "", "none"));
        if (hostDrivers.contains(STUB)) {
            drivers.add(STUB);
        }
        if (hostDrivers.contains(TwinMachine.E1000) && function.equals(TwinMachine.SHARED.getLast())) {
            drivers.addAll(List.of(TwinMachine.E1000, ""));
        }
        if (generator.chance(5)) {
            return generator.pick(List.of(" vfio-pci", "vfio-pci\nnone", "\n", "x".repeat(4093), "x".repeat(4094), "x".repeat(4095)));
        }
        return generator.pick(drivers);
    }
}
