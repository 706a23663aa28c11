package io.github.vfio4j.spi;

import io.github.vfio4j.DeviceFeature;
import io.github.vfio4j.IovaRange;
import io.github.vfio4j.MigrationState;
import io.github.vfio4j.MigrationSupport;
import io.github.vfio4j.RegionInfo;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** {@code VFIO_DEVICE_FEATURE} of an open device file, a method for each feature and direction. */
public interface FeaturePort {
    /**
     * {@code VFIO_DEVICE_FEATURE_PROBE}.
     *
     * @param feature which
     * @return whether device and kernel have it
     */
    boolean has(DeviceFeature feature);

    /**
     * {@code VFIO_DEVICE_FEATURE_PCI_VF_TOKEN}.
     *
     * @param token the token
     */
    void setVfToken(UUID token);

    /**
     * {@code VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY}, or with an event {@code ..._WITH_WAKEUP}.
     *
     * @param wakeup what is signalled when the device wakes; null for nothing
     */
    void enterLowPower(EventPort wakeup);

    /** {@code VFIO_DEVICE_FEATURE_LOW_POWER_EXIT}. */
    void exitLowPower();

    /**
     * {@code VFIO_DEVICE_FEATURE_MIGRATION}.
     *
     * @return what the device can
     */
    Set<MigrationSupport> migration();

    /**
     * {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE} with GET.
     *
     * @return the state
     */
    MigrationState migrationState();

    /**
     * {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE} with SET.
     *
     * @param state the next state
     * @return the stream that the change opened, if any
     */
    Optional<MigrationPort> setMigrationState(MigrationState state);

    /**
     * {@code VFIO_DEVICE_FEATURE_MIG_DATA_SIZE}.
     *
     * @return bytes
     */
    long migrationDataSize();

    /** {@code VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2}. */
    void tellPrecopyReinit();

    /**
     * {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_START}.
     *
     * @param pageSize bytes
     * @param ranges what to log
     * @return the page size that the device chose
     */
    long startDmaLogging(long pageSize, List<IovaRange> ranges);

    /** {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP}. */
    void stopDmaLogging();

    /**
     * {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT}.
     *
     * @param iova the first address
     * @param size bytes
     * @param pageSize bytes
     * @return a bit for each page, 64 to a word
     */
    long[] reportDmaLogging(long iova, long size, long pageSize);

    /**
     * {@code VFIO_DEVICE_FEATURE_BUS_MASTER}.
     *
     * @param on whether to set it
     */
    void setBusMaster(boolean on);

    /**
     * {@code VFIO_DEVICE_FEATURE_DMA_BUF}.
     *
     * @param region the BAR
     * @param parts of the BAR
     * @return the dma-buf
     */
    DmaBufPort exportDmaBuf(int region, List<RegionInfo.Area> parts);
}
