package io.github.vfio4j.sim;

import io.github.vfio4j.GraphicsPlane;
import java.util.Optional;

/** The screen of a simulated mediated device. One call comes at a time. */
public interface ScreenModel {
    /**
     * Returns how it shows its pictures.
     *
     * @return the way, always the same
     */
    GraphicsPlane.Way way();

    /**
     * Returns what it shows now.
     *
     * @param kind which picture
     * @return the picture, stored in that way; empty for none
     */
    Optional<GraphicsPlane> plane(GraphicsPlane.Kind kind);

    /**
     * Tells whether a dma-buf can be opened.
     *
     * @param id as a picture named it
     * @return whether there is such a one
     */
    default boolean hasDmaBuf(int id) {
        return false;
    }
}
