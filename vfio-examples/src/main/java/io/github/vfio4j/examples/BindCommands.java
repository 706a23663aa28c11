package io.github.vfio4j.examples;

import io.github.vfio4j.Binding;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** {@code vfio bind} and {@code vfio unbind}: devices between their host drivers and vfio-pci. */
final class BindCommands {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final Vfio vfio;
    private final PrintStream out;

    BindCommands(Vfio vfio, PrintStream out) {
        this.vfio = vfio;
        this.out = out;
    }

    @SuppressWarnings("resource") // the binding stays: vfio unbind ends it
    void bind(List<PciAddress> devices) {
        checkNamed(devices);
        Binding binding = vfio.binder().bind(devices, TIMEOUT);
        binding.devices().forEach(bound -> out.println(bound + " is bound to vfio-pci"));
        printGroups(devices);
    }

    void unbind(List<PciAddress> devices) {
        checkNamed(devices);
        for (PciAddress address : devices) {
            Optional<String> driver = vfio.binder().giveBack(address);
            out.println(address + driver.map(name -> " is bound to " + name).orElse(" is bound to no driver"));
        }
        printGroups(devices);
    }

    private void printGroups(List<PciAddress> devices) {
        devices.stream()
                .flatMapToInt(address -> vfio.pciDevice(address).iommuGroup().stream())
                .distinct()
                .forEach(group -> {
                    out.println("group " + group);
                    vfio.binder().members(group).forEach(member -> out.println("  " + member));
                });
    }

    private static void checkNamed(List<PciAddress> devices) {
        if (devices.isEmpty()) {
            throw new CommandException("name the devices by their addresses, such as 0000:06:0d.0");
        }
    }
}
