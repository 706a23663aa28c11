package io.github.vfio4j.examples;

import io.github.vfio4j.Binding;
import io.github.vfio4j.GroupMember;
import io.github.vfio4j.PciAddress;
import io.github.vfio4j.Vfio;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Optional;

/** {@code vfio bind} and {@code vfio unbind}: a device between its host driver and vfio-pci. */
final class BindCommands {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final Vfio vfio;
    private final PrintStream out;

    BindCommands(Vfio vfio, PrintStream out) {
        this.vfio = vfio;
        this.out = out;
    }

    @SuppressWarnings("resource") // the binding stays: vfio unbind ends it
    void bind(Optional<PciAddress> device) {
        PciAddress address = named(device);
        Binding binding = vfio.binder().bind(address, TIMEOUT);
        binding.devices().forEach(bound -> out.println(bound + " is bound to vfio-pci"));
        printMembers(address);
    }

    void unbind(Optional<PciAddress> device) {
        PciAddress address = named(device);
        Optional<String> driver = vfio.binder().giveBack(address);
        out.println(address + driver.map(name -> " is bound to " + name).orElse(" is bound to no driver"));
        printMembers(address);
    }

    private void printMembers(PciAddress address) {
        vfio.pciDevice(address).iommuGroup().ifPresent(group -> {
            out.println("group " + group);
            for (GroupMember member : vfio.binder().members(group)) {
                out.println("  " + member);
            }
        });
    }

    private static PciAddress named(Optional<PciAddress> device) {
        return device.orElseThrow(() -> new CommandException("name the device by its address, such as 0000:06:0d.0"));
    }
}
