package io.github.vfio4j.examples;

import io.github.vfio4j.PciAddress;
import io.github.vfio4j.PciDevice;
import io.github.vfio4j.Vfio;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Which device a command drives: the one that was named, or the first of its kind that is bound to vfio-pci. */
final class Choice {
    private final Vfio vfio;
    private final String kind;
    private final Predicate<PciDevice> fits;

    private Choice(Vfio vfio, String kind, Predicate<PciDevice> fits) {
        this.vfio = vfio;
        this.kind = kind;
        this.fits = fits;
    }

    /**
     * Starts a choice.
     *
     * @param kind what it is, for messages
     * @param fits tells whether a device is of that kind
     */
    static Choice of(Vfio vfio, String kind, Predicate<PciDevice> fits) {
        return new Choice(vfio, kind, fits);
    }

    PciDevice choose(Optional<PciAddress> wanted) {
        return choose(wanted.map(List::of).orElse(List.of()), 1).getFirst();
    }

    /** Chooses so many: those that were named first. */
    List<PciDevice> choose(List<PciAddress> wanted, int count) {
        List<PciDevice> chosen = new ArrayList<>();
        for (PciAddress address : wanted) {
            PciDevice device = vfio.pciDevice(address);
            if (!fits.test(device)) {
                throw new CommandException("no %s: %s".formatted(kind, device));
            }
            chosen.add(device);
        }
        List<PciDevice> all = vfio.pciDevices().stream().filter(fits).toList();
        all.stream()
                .filter(device -> device.driver().equals(Optional.of("vfio-pci")) && !wanted.contains(device.address()))
                .limit(Math.max(0, count - chosen.size()))
                .forEach(chosen::add);
        if (chosen.size() < count) {
            String found = all.stream().map(PciDevice::toString).collect(Collectors.joining("; "));
            throw new CommandException(
                    """
                    %s needed, bound to vfio-pci, on %s
                      found    %s
                      next     bind one to vfio-pci, or leave --linux out for the simulated machine"""
                            .formatted(count == 1 ? "one " + kind + " is" : count + " of " + kind + " are",
                                    vfio.kernelName(), found.isEmpty() ? "none" : found));
        }
        return chosen;
    }
}
