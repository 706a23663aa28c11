package io.github.vfio4j;

import java.util.HexFormat;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The address of a PCI function (BDF), such as {@code 0000:06:0d.0}.
 *
 * @param domain the PCI domain (segment), 0 to 0xffffffff
 * @param bus the bus, 0 to 255
 * @param device the slot, 0 to 31
 * @param function the function, 0 to 7
 */
public record PciAddress(int domain, int bus, int device, int function) implements Comparable<PciAddress> {
    private static final Pattern FORM =
            Pattern.compile("(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\\.([0-7])");

    /**
     * Makes an address.
     *
     * @throws IllegalArgumentException if bus, device or function is out of range
     */
    public PciAddress {
        if (bus < 0 || bus > 0xff || device < 0 || device > 0x1f || function < 0 || function > 7) {
            throw new IllegalArgumentException(
                    "no PCI address: bus %x device %x function %x".formatted(bus, device, function));
        }
    }

    /**
     * Reads {@code dddd:bb:dd.f} or {@code bb:dd.f} (domain 0), as {@code lspci} prints them.
     *
     * @param text the address
     * @return the address
     * @throws IllegalArgumentException if {@code text} is not such an address
     */
    public static PciAddress parse(String text) {
        Objects.requireNonNull(text, "text");
        Matcher m = FORM.matcher(text);
        if (!m.matches()) {
            throw new IllegalArgumentException(
                    "no PCI address: '" + text + "'; write it as lspci -D prints it, such as 0000:06:0d.0");
        }
        int domain = m.group(1) == null ? 0 : Integer.parseUnsignedInt(m.group(1), 16);
        return new PciAddress(
                domain,
                Integer.parseInt(m.group(2), 16),
                Integer.parseInt(m.group(3), 16),
                Integer.parseInt(m.group(4)));
    }

    @Override
    public int compareTo(PciAddress that) {
        Objects.requireNonNull(that, "that");
        int byDomain = Integer.compareUnsigned(domain, that.domain);
        return byDomain != 0 ? byDomain : Integer.compare(devfn(), that.devfn());
    }

    private int devfn() {
        return bus << 8 | device << 3 | function;
    }

    /** Returns the kernel's name of the device, such as {@code 0000:06:0d.0}. */
    @Override
    public String toString() {
        int digits = Math.max(4, (35 - Integer.numberOfLeadingZeros(domain)) / 4); // of the domain, four at least
        HexFormat hex = HexFormat.of();
        return hex.toHexDigits(domain, digits) + ':' + hex.toHexDigits((byte) bus) + ':' + hex.toHexDigits((byte) device)
                + '.' + function;
    }
}
