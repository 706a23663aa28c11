package io.github.vfio4j.sim;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A device that notes what is done to it and does what a test tells it. BAR 0 is mappable, BAR 2 is not. */
class TestModel implements PciModel {
    static final int VENDOR = 0x1af4;
    static final int DEVICE = 0x1110;

    final List<String> events = Collections.synchronizedList(new ArrayList<>());
    final long[] registers = new long[16];
    private final int vectors;
    private final int msiVectors;
    volatile PciBus bus;
    volatile Runnable beforePowerOff = () -> {};

    TestModel() {
        this(0, 0);
    }

    TestModel(int vectors, int msiVectors) {
        this.vectors = vectors;
        this.msiVectors = msiVectors;
    }

    @Override
    public PciIdentity identity() {
        return new PciIdentity(VENDOR, DEVICE, 0x058000);
    }

    @Override
    public List<PciBar> bars() {
        return List.of(new PciBar(0, 16384, true), new PciBar(2, 128, false));
    }

    @Override
    public int vectors() {
        return vectors;
    }

    @Override
    public int msiVectors() {
        return msiVectors;
    }

    @Override
    public void powerOn(PciBus itsBus) {
        events.add("on");
        bus = itsBus;
    }

    @Override
    public void reset() {
        events.add("reset");
    }

    @Override
    public void powerOff() {
        beforePowerOff.run();
        events.add("off");
    }

    @Override
    public long read(int bar, long offset, int width) {
        events.add("read %d %d".formatted(offset, width));
        return registers[(int) offset / 8] >>> 8 * (offset % 8);
    }

    @Override
    public void write(int bar, long offset, int width, long value) {
        events.add("write %d %d 0x%x".formatted(offset, width, value));
        registers[(int) offset / 8] = value;
    }
}
