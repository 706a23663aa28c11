package io.github.vfio4j.examples;

/** Class codes in words, as far as the drivers here care. */
final class PciClass {
    private static final int NVME = 0x0108;

    private PciClass() {}

    static boolean isNvme(int classCode) {
        return classCode >>> 8 == NVME;
    }

    static String name(int classCode) {
        if (isNvme(classCode)) {
            return "NVMe";
        }
        return switch (classCode >>> 16) {
            case 0x01 -> "storage";
            case 0x02 -> "network";
            case 0x03 -> "display";
            case 0x04 -> "multimedia";
            case 0x06 -> "bridge";
            case 0x0c -> "serial bus";
            default -> "other";
        };
    }
}
