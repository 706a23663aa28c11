package io.github.vfio4j.sim;

import io.github.vfio4j.RegionInfo;
import java.util.Optional;

/** A mediated device with the regions of a channel device of s390, and nothing behind them. */
final class ChannelModel implements MediatedModel {
    static final int REGIONS = 4;

    private static final long[] SIZES = {124, 8, 52, 8};
    private static final int CCW = 2; // VFIO_REGION_TYPE_CCW; the subtypes are 1, 2 and 3

    @Override
    public int regions() {
        return REGIONS;
    }

    @Override
    public Optional<RegionInfo.Type> type(int index) {
        return index == 0 ? Optional.empty() : Optional.of(new RegionInfo.Type(CCW, index));
    }

    @Override
    public long size(int index) {
        return SIZES[index];
    }

    @Override
    public void powerOn(MediatedBus bus) {}

    @Override
    public void powerOff() {}

    @Override
    public long read(int index, long offset, int width) {
        return 0;
    }

    @Override
    public void write(int index, long offset, int width, long value) {}
}
