package io.github.vfio4j.sim.nvme;

import io.github.vfio4j.sim.PciBar;
import io.github.vfio4j.sim.PciBus;
import io.github.vfio4j.sim.PciIdentity;
import io.github.vfio4j.sim.PciModel;
import java.util.List;

/**
 * A simulated NVMe 1.4 controller with a disk behind it, under the PCI identity of QEMU's. What is written to the disk
 * stays for as long as the model does: through controller resets, device resets, and closing and opening the device.
 *
 * <p>Admin commands: Identify, Get Log Page, Set and Get Features, Create and Delete I/O queues, Abort, Asynchronous Event
 * Request. I/O commands: Read, Write, Flush, with PRPs. 64 pairs of I/O queues of up to 2048 entries, 512 KiB a transfer,
 * pages of 4 to 64 KiB, doorbell stride 0, 65 MSI-X vectors, of which the admin queue has vector 0. Wrong commands are
 * answered with the status that the specification names. A queue that cannot be reached by DMA, or a configuration that
 * cannot work, sets CSTS.CFS; data that cannot be reached ends the command with Data Transfer Error.
 *
 * <p>Registers and doorbells share a page that a driver maps, so nothing in it traps. The model sees a register some time
 * after it was written, in the order of the driver's releases; it does not see a value that is written twice in a row, nor
 * CC.EN going to 0 and back before CSTS.RDY has followed, which a driver must wait for anyway. Interrupts are MSI-X alone:
 * INTMS and INTMC have no effect.
 */
public final class NvmeModel implements PciModel {
    static final int VENDOR_ID = 0x1b36;
    static final int QUEUE_PAIRS = 64;
    static final int VECTORS = QUEUE_PAIRS + 1;

    private static final int DEVICE_ID = 0x0010;
    private static final int CLASS_CODE = 0x010802;
    private static final long DEFAULT_BYTES = 64L << 20;
    private static final int DEFAULT_BLOCK_BYTES = 512;
    private static final String DEFAULT_SERIAL = "SIM00001";
    private static final int SERIAL_BYTES = 20;

    private final List<Namespace> namespaces;
    private final Identify identify;
    private final Health health = new Health();

    private PciBus bus;
    private Controller controller;
    private Thread thread;

    /** Makes a controller with one namespace of 64 MiB in blocks of 512 bytes. */
    public NvmeModel() {
        this(DEFAULT_BYTES, DEFAULT_BLOCK_BYTES);
    }

    /**
     * Makes a controller with one namespace. Its memory is taken as it is written.
     *
     * @param bytes the size of the namespace, a multiple of the block size, up to 1 TiB
     * @param blockBytes 512, 1024, 2048 or 4096
     * @throws IllegalArgumentException if one of them cannot be
     */
    public NvmeModel(long bytes, int blockBytes) {
        this(bytes, blockBytes, DEFAULT_SERIAL);
    }

    /**
     * Makes a controller with one namespace and a serial number of its own, for a machine with several.
     *
     * @param bytes the size of the namespace, a multiple of the block size, up to 1 TiB
     * @param blockBytes 512, 1024, 2048 or 4096
     * @param serial 1 to 20 printable ASCII characters
     * @throws IllegalArgumentException if one of them cannot be
     */
    public NvmeModel(long bytes, int blockBytes, String serial) {
        this(List.of(new Namespace(bytes, blockBytes)), serial);
    }

    NvmeModel(List<Namespace> namespaces) {
        this(namespaces, DEFAULT_SERIAL);
    }

    private NvmeModel(List<Namespace> namespaces, String serial) {
        if (serial.isEmpty() || serial.length() > SERIAL_BYTES || !serial.matches("\\p{Print}+")) {
            throw new IllegalArgumentException("a serial number has 1 to 20 printable characters: '" + serial + "'");
        }
        this.namespaces = namespaces;
        this.identify = new Identify(serial, namespaces);
    }

    @Override
    public PciIdentity identity() {
        return new PciIdentity(VENDOR_ID, DEVICE_ID, CLASS_CODE);
    }

    @Override
    public List<PciBar> bars() {
        return List.of(new PciBar(0, Registers.BAR_BYTES, true));
    }

    @Override
    public int vectors() {
        return VECTORS;
    }

    @Override
    public boolean express() {
        return true;
    }

    @Override
    public void powerOn(PciBus bus) {
        this.bus = bus;
        health.poweredOn();
        start();
    }

    @Override
    public void reset() {
        stop();
        start();
    }

    @Override
    public void powerOff() {
        stop();
        bus = null;
    }

    /** What went wrong in the model itself since the last reset, for its tests; null if nothing did. */
    RuntimeException failure() {
        return controller.failure();
    }

    private void start() {
        Registers registers = new Registers(bus.bar(0));
        registers.reset();
        controller = new Controller(bus, registers, identify, namespaces, health);
        thread = Thread.ofPlatform().daemon().name("nvme-model").start(controller);
    }

    /** Returns when the thread has ended, interrupted or not: a thread left behind would touch memory that is gone. */
    private void stop() {
        controller.stop();
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
