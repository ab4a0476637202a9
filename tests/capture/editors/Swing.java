import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import javax.swing.JFrame;
import javax.swing.JScrollPane;
import javax.swing.JTextArea;
import javax.swing.SwingUtilities;
import javax.swing.Timer;

/** A text field of Swing that writes what it holds to a file: Swing FILE */
public class Swing {
    public static void main(String[] args) {
        Path path = Path.of(args[0]);
        Path next = Path.of(args[0] + ".new");
        SwingUtilities.invokeLater(() -> {
            JFrame frame = new JFrame("swing");
            JTextArea area = new JTextArea();
            frame.add(new JScrollPane(area));
            frame.setSize(800, 600);
            frame.setVisible(true);
            area.requestFocus();
            new Timer(200, event -> {
                try {
                    Files.writeString(next, area.getText());
                    Files.move(next, path, StandardCopyOption.ATOMIC_MOVE);
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            }).start();
        });
    }
}
