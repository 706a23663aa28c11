package io.github.vfio4j.sim.nvme;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The data structures that Identify returns (NVM Express 1.4 section 5.15.2). Targets are zeroed, 4096 bytes. */
final class Identify {
    static final int BYTES = 4096;

    /** MDTS: the longest transfer, as a power of two of the smallest page. */
    static final int MAX_TRANSFER_SHIFT = 7;

    static final int MAX_TRANSFER_BYTES = 1 << Registers.MIN_PAGE_SHIFT + MAX_TRANSFER_SHIFT;

    static final String MODEL = "vfio4j simulated NVMe controller";
    static final String FIRMWARE = "1.0";
    static final int ABORT_LIMIT = 4;

    private static final ValueLayout.OfShort INT16 = JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT32 = JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong INT64 = JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int WARNING_KELVIN = 343;
    private static final int CRITICAL_KELVIN = 373;
    private static final int DESCRIPTOR_EUI64 = 1;

    private final String serial;
    private final List<Namespace> namespaces;

    Identify(String serial, List<Namespace> namespaces) {
        this.serial = serial;
        this.namespaces = namespaces;
    }

    void writeController(MemorySegment data) {
        data.set(INT16, 0, (short) NvmeModel.VENDOR_ID);
        data.set(INT16, 2, (short) NvmeModel.VENDOR_ID);
        text(data, 4, 20, serial);
        text(data, 24, 40, MODEL);
        text(data, 64, 8, FIRMWARE);
        data.set(JAVA_BYTE, 77, (byte) MAX_TRANSFER_SHIFT);
        data.set(INT32, 80, Registers.VERSION);
        data.set(JAVA_BYTE, 111, (byte) 1); // CNTRLTYPE: I/O controller
        data.set(JAVA_BYTE, 258, (byte) (ABORT_LIMIT - 1)); // ACL
        data.set(JAVA_BYTE, 259, (byte) (Events.LIMIT - 1)); // AERL
        data.set(JAVA_BYTE, 260, (byte) (1 | 1 << 1)); // FRMW: one firmware slot, read-only
        data.set(INT16, 266, (short) WARNING_KELVIN);
        data.set(INT16, 268, (short) CRITICAL_KELVIN);
        data.set(JAVA_BYTE, 512, (byte) 0x66); // SQES: entries of 64 bytes
        data.set(JAVA_BYTE, 513, (byte) 0x44); // CQES: entries of 16 bytes
        data.set(INT32, 516, namespaces.size());
        terminated(data, 768, "nqn.2026-11.io.github.vfio4j:nvme-model:" + serial);
    }

    void writeNamespace(int namespaceId, MemorySegment data) {
        Namespace namespace = namespaces.get(namespaceId - 1);
        data.set(INT64, 0, namespace.blocks()); // size, capacity, use
        data.set(INT64, 8, namespace.blocks());
        data.set(INT64, 16, namespace.blocks());
        data.set(INT64.withOrder(ByteOrder.BIG_ENDIAN), 120, eui64(namespaceId));
        data.set(JAVA_BYTE, 130, (byte) Integer.numberOfTrailingZeros(namespace.blockBytes())); // LBA format 0
    }

    /** The identifiers of the namespaces above the given one, ascending. */
    void writeActiveNamespaces(int above, MemorySegment data) {
        long at = 0;
        for (int id = above + 1; id <= namespaces.size() && at < BYTES; id++) {
            data.set(INT32, at, id);
            at += 4;
        }
    }

    void writeDescriptors(int namespaceId, MemorySegment data) {
        data.set(JAVA_BYTE, 0, (byte) DESCRIPTOR_EUI64);
        data.set(JAVA_BYTE, 1, (byte) Long.BYTES);
        data.set(INT64.withByteAlignment(1).withOrder(ByteOrder.BIG_ENDIAN), 4, eui64(namespaceId));
    }

    void writeFirmwareLog(MemorySegment log) {
        log.set(JAVA_BYTE, 0, (byte) 1); // slot 1 is active
        text(log, 8, 8, FIRMWARE);
    }

    /** A locally administered identifier, different for each serial number and namespace. */
    private long eui64(int namespaceId) {
        return 0x02L << 56 | (serial.hashCode() & 0xffff_ffffL) << 16 | namespaceId & 0xffff;
    }

    private static void text(MemorySegment data, long offset, int width, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i < width; i++) {
            data.set(JAVA_BYTE, offset + i, i < bytes.length ? bytes[i] : (byte) ' ');
        }
    }

    private static void terminated(MemorySegment data, long offset, String text) {
        MemorySegment.copy(
                MemorySegment.ofArray(text.getBytes(StandardCharsets.US_ASCII)), 0, data, offset, text.length());
    }
}
